package nix

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Where npins and niv keep what they pin.
const npinsFile, nivFile = "npins/sources.json", "nix/sources.json"

// pin is a source that npins or niv fetches with a fixed hash.
type pin struct {
	file string // where it is written, within the network's tree
	name string
	urls []string // what Nix says of it when it cannot be fetched
	git  bool
	fix  string // the command that pins it anew
}

// pinsOf reads the pins of the network in dir. A file that is not as npins and
// niv write it has none.
func pinsOf(dir string) (pins []pin) {
	type source struct {
		URL        string `json:"url"`
		Repo       string `json:"repo"` // of niv
		Type       string `json:"type"`
		Repository struct {
			URL string `json:"url"`
		} `json:"repository"` // of npins
	}
	add := func(file, command string, sources map[string]source) {
		for name, s := range sources {
			urls := slices.DeleteFunc([]string{s.URL, s.Repo, s.Repository.URL}, func(url string) bool { return !strings.Contains(url, ":") })
			pins = append(pins, pin{file: file, name: name, urls: urls, git: s.URL == "" && strings.EqualFold(s.Type, "git"), fix: command + " " + name})
		}
	}
	var npins struct {
		Pins map[string]source `json:"pins"`
	}
	if readJSON(filepath.Join(dir, npinsFile), &npins) {
		add(npinsFile, "npins update --full", npins.Pins)
	}
	var niv map[string]source
	if readJSON(filepath.Join(dir, nivFile), &niv) {
		add(nivFile, "niv update", niv)
	}
	slices.SortFunc(pins, func(a, b pin) int { return strings.Compare(a.name, b.name) })
	return pins
}

func readJSON(path string, into any) bool {
	data, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(data, into) == nil
}

var (
	gitFailed  = regexp.MustCompile(`^program 'git' failed`) // Nix 2.8 says no more
	otherHash  = regexp.MustCompile(`(?i)hash mismatch`)
	fetchFails = regexp.MustCompile(`(?i)hash mismatch|unable to download|\bgit\b|does not exist`)
)

// explainPin says which pin an error is about, and what helps. nil: about none.
func explainPin(e *EvalError, dir string) error {
	missing := missingName.FindStringSubmatch(e.Message)
	if missing == nil && !fetchFails.MatchString(e.Message) || dir == "" {
		return nil
	}
	pins := pinsOf(dir)
	if missing != nil {
		file := nivFile
		if strings.Contains(e.Excerpt, "npins") {
			file = npinsFile
		} else if !strings.Contains(e.Excerpt, "sources") {
			return nil
		}
		var names []string
		for _, p := range pins {
			if p.file == file {
				names = append(names, p.name)
			}
		}
		if len(names) == 0 || slices.Contains(names, missing[1]) {
			return nil
		}
		e.Message = fmt.Sprintf("there is no pin %q in %s (pins: %s)", missing[1], file, strings.Join(names, ", "))
		return e
	}
	at := slices.IndexFunc(pins, func(p pin) bool {
		return slices.ContainsFunc(p.urls, func(url string) bool {
			return strings.Contains(e.Message, "'"+url) || strings.Contains(e.Message, "'"+strings.TrimPrefix(url, "file://")+"'")
		})
	})
	if at < 0 && gitFailed.MatchString(e.Message) {
		isGit := func(p pin) bool { return p.git }
		if at = slices.IndexFunc(pins, isGit); at >= 0 && slices.ContainsFunc(pins[at+1:], isGit) {
			at = -1 // which of them?
		}
	}
	if at < 0 {
		return nil
	}
	p := pins[at]
	e.Message += fmt.Sprintf("\nIt is the pin %s of %s.", p.name, p.file)
	if otherHash.MatchString(e.Message) {
		return hinted(e, p.fix+"   # if what is there now is what you want, then commit "+p.file)
	}
	return e
}
