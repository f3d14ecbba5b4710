package graph

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/git-deploy/git-deploy/pkg/ui"
)

//go:embed page/picture.css
var pictureCSS string

// SVG draws l as one picture that needs nothing else. Times are in UTC.
func SVG(w io.Writer, l *Layout) error {
	p := newPicture(l)
	p.draw()
	_, err := io.WriteString(w, literal(fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"The network's history\">\n<style>\n%s</style>\n<rect width=\"100%%\" height=\"100%%\" style=\"fill: var(--paper)\"/>\n%s</svg>\n",
		p.width, p.height, p.width, p.height, pictureCSS, p.out.String())))
	return err
}

var (
	colorOf = regexp.MustCompile(`--([\w-]+): (#\w+);`)
	useOf   = regexp.MustCompile(`(fill|stroke): var\(--([\w-]+)\)( !important)?`)
)

// literal puts before each use of a variable the colour that it has on a light
// ground: image viewers (librsvg among them) know no variables, drop what they
// do not know and would draw all in black.
func literal(picture string) string {
	light := map[string]string{}
	for _, m := range colorOf.FindAllStringSubmatch(pictureCSS, -1) {
		if _, known := light[m[1]]; !known { // the dark ones come later
			light[m[1]] = m[2]
		}
	}
	return useOf.ReplaceAllStringFunc(picture, func(use string) string {
		m := useOf.FindStringSubmatch(use)
		return m[1] + ": " + light[m[2]] + m[3] + "; " + use
	})
}

// Measures of the picture, in pixels.
const (
	margin     = 16
	rowHeight  = 26
	lineHeight = 18 // of a failure, below its commit
	laneStep   = 16
	trackStep  = 20
	textRoom   = 860
	byRoom     = 270 // of it, at the right: author and time
	dotRadius  = 4.5
	markRadius = 5.5
	charWidth  = 6.9 // of an average character of the text, rounded up
	smallWidth = 6.3 // of small text
	monoWidth  = 7.25
)

type picture struct {
	*Layout
	out           strings.Builder
	width, height int
	tracks, text  int // where they begin
	top           int // of the first row
	y             []int
	tall          []int // heights of the rows
}

func newPicture(l *Layout) *picture {
	p := &picture{Layout: l}
	p.tracks = margin + l.Lanes*laneStep + laneStep/2
	p.text = p.tracks + len(l.Nodes)*trackStep + 6
	p.width = p.text + textRoom + margin
	p.top = margin + len(l.Nodes)*rowHeight + rowHeight/2
	y := p.top
	for _, c := range l.Commits {
		tall := rowHeight
		for _, d := range c.Deployments {
			if d.Bad() {
				tall += lineHeight
			}
		}
		p.y, p.tall = append(p.y, y+rowHeight/2), append(p.tall, tall)
		y += tall
	}
	p.y = append(p.y, y+rowHeight/2) // where lines to what is not shown end
	p.height = y + 2*rowHeight + margin
	return p
}

func (p *picture) lane(n int) int  { return margin + n*laneStep + laneStep/2 }
func (p *picture) track(n int) int { return p.tracks + n*trackStep + trackStep/2 }

func (p *picture) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

// color is the suffix of the classes c and f.
func (p *picture) color(node string) string {
	for _, n := range p.Nodes {
		if n.Name == node {
			return strconv.Itoa(n.Color)
		}
	}
	return ""
}

func (p *picture) draw() {
	p.bands()
	p.header()
	p.lines()
	for i := range p.Commits {
		p.row(i)
	}
	p.legend()
}

// bands are the rows' backgrounds; they take the clicks too.
func (p *picture) bands() {
	for i, c := range p.Commits {
		class := "band"
		if p.tall[i] > rowHeight {
			class += " failed"
		}
		p.printf("<g class=\"%s\" data-row=\"%d\"><rect class=\"hit\" x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"/><title>%s</title></g>\n",
			class, i, p.y[i]-rowHeight/2, p.width, p.tall[i], html.EscapeString(ui.Clean(c.Subject)))
	}
}

func (p *picture) header() {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		x, y := p.track(i), margin+i*rowHeight+rowHeight/2
		end := p.top
		if t := p.Tracks[i]; t.Bottom >= t.Top {
			end = p.y[t.Top]
		}
		p.printf("<path class=\"lead c%d\" d=\"M%d %dH%dQ%d %d %d %dV%d\"/>\n", n.Color, p.text-4, y, x+8, x, y, x, y+8, end)
		if t := p.Tracks[i]; t.Bottom > t.Top {
			p.printf("<path class=\"track c%d\" d=\"M%d %dV%d\"/>\n", n.Color, x, p.y[t.Top], p.y[t.Bottom])
		}
		name, state := cutTo(n.Name, 260), stateOf(n)
		p.printf("<g class=\"node\" data-node=\"%d\"><text class=\"strong f%d\" x=\"%d\" y=\"%d\">%s</text>", i, n.Color, p.text, y, html.EscapeString(name))
		class := "soft"
		switch {
		case n.Last != nil && n.Last.Bad():
			class = "bad"
		case n.Pinned, n.Boot != "" && n.Boot != n.Current:
			class = "warn"
		}
		p.printf("<text class=\"small %s\" x=\"%d\" y=\"%d\">%s</text></g>\n", class, p.text+p.nameRoom(), y,
			html.EscapeString(cutTo(state, textRoom-p.nameRoom())))
	}
	if len(p.Nodes) > 0 {
		y := p.top - rowHeight/4
		p.printf("<path class=\"rule\" d=\"M%d %dH%d\"/>\n", p.text, y, p.width-margin)
	}
}

// nameRoom is what the longest name of a node takes.
func (p *picture) nameRoom() int {
	room := 60
	for _, n := range p.Nodes {
		room = max(room, min(280, int(float64(ui.Width(n.Name))*(charWidth+.6))+20))
	}
	return room
}

func stateOf(n *Node) string {
	if n.Last == nil {
		return "no deployment seen"
	}
	state := string(n.Last.Outcome) + " " + moment(n.Last.Finished)
	if n.Last.By != "" {
		state += " by " + n.Last.By
	}
	switch {
	case n.Last.Bad():
		state += reason(*n.Last)
	case n.Pinned:
		state = "pinned; " + state
	case n.Boot != "" && n.Boot != n.Current:
		state = "waits for a reboot; " + state
	}
	return state
}

// lines draws the edges, HEAD's own over the others.
func (p *picture) lines() {
	edges := slices.Clone(p.Edges)
	slices.SortStableFunc(edges, func(a, b Edge) int { return strings.Compare(b.Node, a.Node) })
	for _, e := range edges {
		x0, y0 := p.lane(p.Lane[e.Child]), p.y[e.Child]
		x, y1 := p.lane(e.Lane), p.y[e.Parent]
		x1 := x
		if e.Parent < len(p.Commits) {
			x1 = p.lane(p.Lane[e.Parent])
		}
		d := fmt.Sprintf("M%d %d", x0, y0)
		bend := rowHeight
		if x != x0 {
			d += fmt.Sprintf("C%d %d %d %d %d %d", x0, y0+bend/2, x, y0+bend/2, x, y0+bend)
		}
		if x1 != x {
			if y1-bend > y0 {
				d += fmt.Sprintf("V%d", y1-bend)
			}
			d += fmt.Sprintf("C%d %d %d %d %d %d", x, y1-bend/2, x1, y1-bend/2, x1, y1)
		} else {
			d += fmt.Sprintf("V%d", y1)
		}
		class := "edge"
		if e.Merge {
			class += " merge"
		}
		p.printf("<path class=\"%s c%s\" d=\"%s\"/>\n", class, p.color(e.Node), d)
	}
}

func (p *picture) row(i int) {
	c, y := &p.Commits[i], p.y[i]
	p.printf("<g class=\"row\" data-row=\"%d\">", i)
	p.dot(c, p.lane(p.Lane[i]), y)
	for k := range p.Nodes {
		p.mark(&p.Nodes[k], c, p.track(k), y)
	}
	x := p.text
	p.printf("<text class=\"mono soft\" x=\"%d\" y=\"%d\">%s</text>", x, y, html.EscapeString(c.ID[:min(8, len(c.ID))]))
	x += int(8*monoWidth) + 12
	limit := p.width - margin - byRoom - 120
	pill := func(label, class string) {
		label = cutTo(label, 170)
		wide := int(float64(ui.Width(label))*monoWidth) + 14
		if x+wide > limit {
			return
		}
		p.printf("<rect class=\"pill %s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"17\"/><text class=\"mono\" x=\"%d\" y=\"%d\" textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\">%s</text>",
			class, x, y-8, wide, x+7, y+1, wide-14, html.EscapeString(label))
		x += wide + 6
	}
	if c.ID == p.Head {
		pill(strings.TrimSpace("HEAD "+p.Branch), "head")
	}
	for k := range p.Nodes {
		if n := &p.Nodes[k]; n.Current == c.ID {
			pill(n.Name, fmt.Sprintf("f%d", n.Color))
		}
	}
	right := p.width - margin
	p.clipped(x, y, right-byRoom-12-x, "", c.Subject)
	by := c.Author
	p.printf("<text class=\"small soft\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", right, y,
		html.EscapeString(cutTo(by, byRoom-120)+"  "+moment(c.When)))
	for _, d := range c.Deployments {
		if d.Bad() {
			y += lineHeight
			text := fmt.Sprintf("✗ %s: %s %s", d.Node, d.Outcome, moment(d.Finished))
			if d.By != "" {
				text += " by " + d.By
			}
			p.clipped(p.text+int(8*monoWidth)+12, y-2, right-p.text-int(8*monoWidth)-12, "small bad", text+reason(d))
		}
	}
	p.printf("</g>\n")
}

// clipped writes text that never leaves its room, whatever font there is.
func (p *picture) clipped(x, y, room int, class, text string) {
	if strings.Contains(class, "small") {
		text = ui.Style{UTF8: true}.Line(text, max(1, int(float64(room)/smallWidth)))
	} else {
		text = cutTo(text, room)
	}
	p.printf("<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"20\"><text class=\"%s\" x=\"0\" y=\"10\">%s</text></svg>",
		x, y-10, max(room, 1), class, html.EscapeString(text))
}

func (p *picture) dot(c *Commit, x, y int) {
	tried := len(c.Deployments) > 0 && !slices.ContainsFunc(c.Deployments, func(d Deployment) bool { return !d.Bad() })
	switch color := p.color(c.Node); {
	case tried:
		p.printf("<circle class=\"hollow c%s\" cx=\"%d\" cy=\"%d\" r=\"7\" style=\"stroke: var(--bad)\"/>%s", color, x, y, cross(x, y, 2.6))
	case len(c.Parents) > 1:
		p.printf("<circle class=\"hollow c%s\" cx=\"%d\" cy=\"%d\" r=\"5.5\"/><circle class=\"f%s\" cx=\"%d\" cy=\"%d\" r=\"2.2\"/>", color, x, y, color, x, y)
	default:
		p.printf("<circle class=\"f%s\" cx=\"%d\" cy=\"%d\" r=\"%g\"/>", color, x, y, dotRadius)
	}
}

func cross(x, y int, r float64) string {
	return fmt.Sprintf("<path class=\"cross\" d=\"M%g %gL%g %gM%g %gL%g %g\"/>",
		float64(x)-r, float64(y)-r, float64(x)+r, float64(y)+r, float64(x)-r, float64(y)+r, float64(x)+r, float64(y)-r)
}

func (p *picture) mark(n *Node, c *Commit, x, y int) {
	mark := MarkOf(n, c)
	if mark == None {
		return
	}
	var lines []string
	for _, d := range c.Deployments {
		if d.Node == n.Name {
			lines = append(lines, tellOf(d))
		}
	}
	p.printf("<g class=\"mark\"><title>%s</title>%s</g>", html.EscapeString(strings.Join(append(lines, n.Name+" "+markNames[mark]), "\n")), markShape(mark, n.Color, x, y))
}

var markNames = [RunsOnly + 1]string{"", "ran this before", "skipped this", "failed here", "boots this next", "runs this", "runs this, pinned"}

func markShape(mark Mark, color, x, y int) string {
	switch mark {
	case Past:
		return fmt.Sprintf("<circle class=\"hollow c%d\" cx=\"%d\" cy=\"%d\" r=\"4.5\"/>", color, x, y)
	case Skipped:
		return fmt.Sprintf("<circle class=\"f%d\" cx=\"%d\" cy=\"%d\" r=\"2\"/>", color, x, y)
	case Failed:
		return fmt.Sprintf("<circle class=\"hollow\" cx=\"%d\" cy=\"%d\" r=\"7\" style=\"stroke: none\"/>%s", x, y, cross(x, y, 4.2))
	case Next:
		return fmt.Sprintf("<path class=\"hollow c%d\" d=\"M%d %dl6 10h-12z\"/>", color, x, y-6)
	case RunsOnly:
		return fmt.Sprintf("<path class=\"f%d\" d=\"M%d %dl8 8l-8 8l-8 -8z\"/><circle cx=\"%d\" cy=\"%d\" r=\"2.5\" style=\"fill: var(--paper)\"/>", color, x, y-8, x, y)
	}
	return fmt.Sprintf("<circle class=\"f%d\" cx=\"%d\" cy=\"%d\" r=\"7\"/>", color, x, y)
}

// tellOf is a deployment in one line.
func tellOf(d Deployment) string {
	text := fmt.Sprintf("%s: %s %s", d.Node, d.Outcome, moment(d.Finished))
	if d.By != "" {
		text += " by " + d.By
	}
	if d.From != "" {
		text += " from " + d.From
	}
	return ui.Clean(text + reason(d))
}

func (p *picture) legend() {
	y, x := p.height-margin-rowHeight/2, margin+laneStep/2
	if p.More {
		p.printf("<text class=\"small soft\" x=\"%d\" y=\"%d\">older commits are left out</text>\n", p.text, p.y[len(p.y)-1])
	}
	color := 2
	if len(p.Nodes) > 0 {
		color = p.Nodes[0].Color
	}
	for _, m := range []Mark{Runs, RunsOnly, Next, Past, Failed, Skipped} {
		words := [RunsOnly + 1]string{"", "ran before", "skipped", "failed", "boots next", "runs", "runs, pinned"}[m]
		p.printf("%s<text class=\"small soft\" x=\"%d\" y=\"%d\">%s</text>\n", markShape(m, color, x, y), x+14, y, words)
		x += 14 + int(float64(len(words))*charWidth) + 22
	}
	p.printf("<circle class=\"hollow c\" cx=\"%d\" cy=\"%d\" r=\"5.5\"/><circle class=\"f\" cx=\"%d\" cy=\"%d\" r=\"2.2\"/><text class=\"small soft\" x=\"%d\" y=\"%d\">merge</text>\n", x, y, x, y, x+14, y)
}

// cutTo shortens foreign text to about so many pixels.
func cutTo(text string, pixels int) string {
	return ui.Style{UTF8: true}.Line(text, max(1, int(float64(pixels)/charWidth)))
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
