package graph

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
)

var (
	//go:embed page/page.css
	pageCSS string
	//go:embed page/page.js
	pageJS string
	//go:embed page/page.html
	pageHTML string
)

// HTML draws l as one page with details of each commit, that needs nothing
// else: no other file, no network. Its own policy forbids it to load anything.
func HTML(w io.Writer, l *Layout) error {
	p := newPicture(l)
	p.draw()
	data, err := json.Marshal(l.Graph) // escapes <, > and &
	if err != nil {
		return err
	}
	title := "History"
	if l.Branch != "" {
		title += " of " + l.Branch
	}
	_, err = fmt.Fprintf(w, pageHTML, html.EscapeString(title), pictureCSS, pageCSS, html.EscapeString(title),
		p.width, p.height, p.width, p.height, p.out.String(), data, pageJS)
	return err
}
