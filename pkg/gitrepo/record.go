package gitrepo

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/git-deploy/git-deploy/pkg/event"
)

// LogRef is the deployment log's ref on a node.
const LogRef = "refs/deploy/log"

// Record is one entry of the deployment log: what one deployment did. In git
// it is a commit whose message ends with one trailer per field.
type Record struct {
	Deployment     string               `json:"deployment,omitempty"`
	Network        string               `json:"network,omitempty"`
	Node           string               `json:"node,omitempty"`
	Commit         string               `json:"commit,omitempty"`
	Branch         string               `json:"branch,omitempty"`
	Action         string               `json:"action,omitempty"` // switch, boot, test, build, reboot, rollback, rollback-boot
	Outcome        event.Outcome        `json:"outcome,omitempty"`
	Reason         string               `json:"reason,omitempty"` // one line; why it did not succeed
	System         string               `json:"system,omitempty"`
	PreviousSystem string               `json:"previousSystem,omitempty"`
	PreviousCommit string               `json:"previousCommit,omitempty"`
	DeployedBy     string               `json:"deployedBy,omitempty"` // "Name <mail>"
	Key            string               `json:"key,omitempty"`        // "SHA256:…" of the ssh key
	From           string               `json:"from,omitempty"`       // host it was deployed from
	Tool           string               `json:"tool,omitempty"`       // version of git-deploy on the node
	Started        time.Time            `json:"started"`
	Finished       time.Time            `json:"finished"`
	StepMillis     map[event.Step]int64 `json:"stepMillis,omitempty"`

	Summary string            `json:"summary,omitempty"` // first line of the deployed commit's message
	Detail  string            `json:"detail,omitempty"`  // further text for people, any number of lines; not read back
	Extra   map[string]string `json:"extra,omitempty"`   // further trailers
}

// field ties a trailer's name to its place in a Record.
type field struct {
	name string
	get  func(*Record) string
	set  func(*Record, string)
}

func text(name string, p func(*Record) *string) field {
	return field{name, func(r *Record) string { return *p(r) }, func(r *Record, v string) { *p(r) = v }}
}

func moment(name string, p func(*Record) *time.Time) field {
	return field{name,
		func(r *Record) string {
			if p(r).IsZero() {
				return ""
			}
			return p(r).UTC().Format(time.RFC3339Nano)
		},
		func(r *Record, v string) {
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				*p(r) = t.UTC()
			}
		}}
}

var fields = []field{
	text("Deployment", func(r *Record) *string { return &r.Deployment }),
	text("Network", func(r *Record) *string { return &r.Network }),
	text("Node", func(r *Record) *string { return &r.Node }),
	text("Commit", func(r *Record) *string { return &r.Commit }),
	text("Branch", func(r *Record) *string { return &r.Branch }),
	text("Action", func(r *Record) *string { return &r.Action }),
	text("Outcome", func(r *Record) *string { return (*string)(&r.Outcome) }),
	text("Reason", func(r *Record) *string { return &r.Reason }),
	text("System", func(r *Record) *string { return &r.System }),
	text("Previous-System", func(r *Record) *string { return &r.PreviousSystem }),
	text("Previous-Commit", func(r *Record) *string { return &r.PreviousCommit }),
	text("Deployed-By", func(r *Record) *string { return &r.DeployedBy }),
	text("Key", func(r *Record) *string { return &r.Key }),
	text("From", func(r *Record) *string { return &r.From }),
	text("Tool", func(r *Record) *string { return &r.Tool }),
	moment("Started", func(r *Record) *time.Time { return &r.Started }),
	moment("Finished", func(r *Record) *time.Time { return &r.Finished }),
}

// Clean folds s to one line that a trailer holds unchanged: white space and
// control characters become single spaces, broken UTF-8 becomes U+FFFD.
func Clean(s string) string {
	var b strings.Builder
	space := false
	for _, c := range s { // a broken byte ranges as U+FFFD
		if unicode.IsSpace(c) || unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Message returns the commit message. It is refused only when an Extra or step
// name cannot be a trailer's name or is taken.
func (r Record) Message() (string, error) {
	var trailers strings.Builder
	taken := map[string]bool{}
	add := func(name, value string) error {
		key := strings.ToLower(name)
		if !trailerName(name) || taken[key] {
			return fmt.Errorf("deployment log: %q cannot be the name of a trailer", name)
		}
		taken[key] = true
		if value = Clean(value); value != "" {
			fmt.Fprintf(&trailers, "%s: %s\n", name, value)
		}
		return nil
	}
	var errs []error
	for _, f := range fields {
		errs = append(errs, add(f.name, f.get(&r)))
	}
	for _, step := range sortedKeys(r.StepMillis) {
		errs = append(errs, add("Step-"+string(step)+"-Ms", strconv.FormatInt(r.StepMillis[step], 10)))
	}
	for _, name := range sortedKeys(r.Extra) {
		if _, isStep := stepName(name); isStep {
			errs = append(errs, fmt.Errorf("deployment log: %q cannot be the name of a trailer", name))
		}
		errs = append(errs, add(name, r.Extra[name]))
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	if trailers.Len() == 0 {
		return "", errors.New("deployment log: an entry without any field")
	}
	message := Clean(r.head()+" "+r.Summary) + "\n\n"
	detail := r.Detail
	if strings.TrimSpace(detail) == "" {
		detail = r.Reason
	}
	var body []string
	for line := range strings.Lines(detail) {
		body = append(body, Clean(line))
	}
	if text := strings.TrimSpace(strings.Join(body, "\n")); text != "" {
		message += text + "\n\n"
	}
	return message + trailers.String(), nil
}

// head is what the subject has before Summary.
func (r *Record) head() string {
	return Clean(fmt.Sprintf("%s: %s %s", Clean(r.Node), Clean(string(r.Outcome)), Clean(Short(r.Commit))))
}

// ParseRecord reads a log commit's message. Trailers that it does not know go to Extra.
func ParseRecord(message string) (Record, error) {
	message = strings.TrimRight(message, "\n")
	block := message
	if i := strings.LastIndex(message, "\n\n"); i >= 0 {
		block = message[i+2:]
	}
	r := Record{}
	subject, _, _ := strings.Cut(message, "\n")
	known := map[string]field{}
	for _, f := range fields {
		known[f.name] = f
	}
	for line := range strings.SplitSeq(block, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !trailerName(name) || !utf8.ValidString(value) {
			return Record{}, fmt.Errorf("not an entry of the deployment log: %.60q", subject)
		}
		value = strings.TrimSpace(value)
		if f, ok := known[name]; ok {
			f.set(&r, value)
		} else if step, ok := stepName(name); ok {
			ms, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return Record{}, fmt.Errorf("deployment log: %s: %w", name, err)
			}
			if r.StepMillis == nil {
				r.StepMillis = map[event.Step]int64{}
			}
			r.StepMillis[step] = ms
		} else {
			if r.Extra == nil {
				r.Extra = map[string]string{}
			}
			r.Extra[name] = value
		}
	}
	if r.Deployment == "" {
		return Record{}, fmt.Errorf("not an entry of the deployment log: %.60q", subject)
	}
	r.Summary = strings.TrimSpace(strings.TrimPrefix(subject, r.head()))
	return r, nil
}

func trailerName(s string) bool {
	for _, c := range s {
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && s[0] != '-'
}

func stepName(trailer string) (event.Step, bool) {
	s, ok := strings.CutPrefix(trailer, "Step-")
	if !ok {
		return "", false
	}
	s, ok = strings.CutSuffix(s, "-Ms")
	return event.Step(s), ok && s != ""
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}

// LogCommit is the log commit of r: it holds tree, that of the deployed
// commit, and follows the log's tip before ("" for the first).
func (r Record) LogCommit(tree, before string) (Commit, error) {
	message, err := r.Message()
	if err != nil {
		return Commit{}, err
	}
	author := ParseIdentity(r.DeployedBy)
	if author.Name == "" {
		author.Name = r.Key
	}
	c := Commit{
		Tree: tree, Message: message, When: r.Finished, Author: &author,
		Committer: &Identity{Name: "git-deploy", Email: "git-deploy@" + r.Node},
	}
	if before != "" {
		c.Parents = []string{before}
	}
	return c, nil
}
