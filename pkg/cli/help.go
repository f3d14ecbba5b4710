package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/git-deploy/git-deploy/pkg/ui"
)

// Help fits the terminal: urfave/cli's templates leave the breaking of lines to it.

func init() {
	cli.HelpPrinter = func(w io.Writer, _ string, data any) {
		s := ui.AnswerStyle(w)
		if s.Width = min(s.Width, maxHelp); s.Width <= 0 {
			s.Width = 80
		}
		switch of := data.(type) {
		case *cli.App:
			_, _ = io.WriteString(w, appHelp(of, s))
		case *cli.Command:
			_, _ = io.WriteString(w, commandHelp(of, s))
		}
	}
}

// maxHelp is how wide lines of prose may be to be read.
const maxHelp = 100

func appHelp(app *cli.App, s ui.Style) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s - %s\n\n%s", s.Paint(ui.Strong, app.HelpName), app.Usage, prose(app.Description, s))
	for _, category := range []string{everyday, answers, setup, plumbing} {
		rows := [][2]string{}
		for _, c := range app.Commands {
			if c.Category == category && !c.Hidden {
				rows = append(rows, [2]string{c.Name, c.Usage})
			}
		}
		fmt.Fprintf(&b, "\n%s:\n%s", s.Paint(ui.Strong, category), definitions(rows, commandColumn, s))
	}
	b.WriteString("\n" + prose(appCodes, s))
	return b.String()
}

// commandColumn is as wide as the longest command.
const commandColumn = len("completion")

const appCodes = "`git deploy COMMAND -h` tells more, `git deploy man | man -l -` all; the guide is docs/guide.md.\n\n" +
	"Exit codes: 0 ok, 1 failed, 2 usage, 3 some nodes failed, 4 rolled back, 5 merge conflict, 6 unreachable, 7 locked, 130 cancelled."

func commandHelp(c *cli.Command, s ui.Style) string {
	var b strings.Builder
	name := strings.TrimSpace(c.HelpName)
	title := s.Paragraph("", "    ", name+" - "+c.Usage)
	fmt.Fprintf(&b, "%s%s\nUsage: %s", s.Paint(ui.Strong, name), strings.TrimPrefix(title, name), name)
	subcommands := c.VisibleCommands()
	if len(subcommands) > 0 {
		b.WriteString(" COMMAND")
	}
	for _, words := range []string{"[OPTIONS]", c.ArgsUsage} {
		if words != "" {
			b.WriteString(" " + words)
		}
	}
	b.WriteString("\n")
	if c.Description != "" {
		b.WriteString("\n" + prose(c.Description, s))
	}
	list := func(title string, rows [][2]string) {
		widest := 0
		for _, r := range rows {
			widest = max(widest, ui.Width(r[0]))
		}
		fmt.Fprintf(&b, "\n%s:\n%s", s.Paint(ui.Strong, title), definitions(rows, min(widest, 30), s))
	}
	if len(subcommands) > 0 {
		var rows [][2]string
		for _, sub := range subcommands {
			rows = append(rows, [2]string{strings.TrimSpace(sub.Name + " " + sub.ArgsUsage), sub.Usage})
		}
		list("Commands", rows)
	}
	var rows [][2]string
	for _, f := range c.VisibleFlags() {
		if doc, ok := f.(cli.DocGenerationFlag); ok && !slices.Contains(f.Names(), "help") {
			rows = append(rows, [2]string{flagNames(f, doc), flagText(f, doc)})
		}
	}
	list("Options", append(rows, [2]string{"-h, --help", "show this"}))
	return b.String()
}

// flagNames is what is typed, the short name first.
func flagNames(f cli.Flag, doc cli.DocGenerationFlag) string {
	var short, long []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			short = append(short, "-"+n)
		} else {
			long = append(long, "--"+n)
		}
	}
	names := strings.Join(append(short, long...), ", ")
	if doc.TakesValue() {
		names += " " + placeholder([]cli.Flag{f}, f.Names()[0])
	}
	return names
}

func flagText(f cli.Flag, doc cli.DocGenerationFlag) string {
	text := strings.ReplaceAll(doc.GetUsage(), "`", "")
	if _, slice := f.(*cli.StringSliceFlag); slice && !strings.Contains(text, "repeated") {
		text += "; may be repeated"
	}
	if byDefault := doc.GetDefaultText(); doc.TakesValue() && byDefault != "" && byDefault != "0" && byDefault != `""` {
		text += " (default: " + strings.Trim(byDefault, `"`) + ")"
	}
	for _, env := range doc.GetEnvVars() {
		text += " [$" + env + "]"
	}
	return text
}

// prose breaks paragraphs anew; lines that are indented stay as they are.
func prose(text string, s ui.Style) string {
	var b strings.Builder
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			b.WriteString(s.Paragraph("", "", strings.Join(paragraph, " ")))
		}
		paragraph = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			flush()
			b.WriteString(line + "\n")
			continue
		}
		paragraph = append(paragraph, line)
	}
	flush()
	return b.String()
}

// definitions are names and what they mean beside them, from the column on.
func definitions(rows [][2]string, column int, s ui.Style) string {
	var b strings.Builder
	for _, r := range rows {
		first, rest := fmt.Sprintf("  %-*s  ", column, r[0]), strings.Repeat(" ", column+4)
		if ui.Width(r[0]) > column {
			b.WriteString("  " + r[0] + "\n")
			first = rest
		}
		b.WriteString(s.Paragraph(first, rest, r[1]))
	}
	return b.String()
}
