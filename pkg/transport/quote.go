package transport

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// CommandLine joins argv to one line for the login shell of the node. Words
// of ordinary characters stay as they are, so that every shell takes them
// (fish, csh and nushell too); others are quoted for a POSIX shell.
func CommandLine(argv []string) (string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", errors.New("no command to run")
	}
	words := make([]string, len(argv))
	for i, w := range argv {
		switch {
		case strings.IndexByte(w, 0) >= 0:
			return "", errors.New("a command line cannot hold a NUL byte")
		case plain(w, i == 0):
			words[i] = w
		default:
			words[i] = quote(w)
		}
	}
	return strings.Join(words, " "), nil
}

// plain reports whether no shell gives w a meaning. '=' and '@' have one at the
// beginning in zsh and PowerShell, '=' anywhere in a first word.
func plain(w string, first bool) bool {
	for i := 0; i < len(w); i++ {
		c := w[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '/', c == '.', c == '_', c == '-', c == '+', c == ',', c == ':':
		case c == '=' && i > 0 && !first, c == '@' && i > 0:
		default:
			return false
		}
	}
	return w != "" && !reserved[w]
}

// reserved are words that the syntax package leaves alone as arguments but a shell takes as syntax in front.
var reserved = map[string]bool{"if": true, "then": true, "else": true, "elif": true, "fi": true, "do": true, "done": true,
	"case": true, "esac": true, "while": true, "until": true, "for": true, "in": true, "function": true, "select": true, "time": true}

func quote(w string) string {
	q, err := syntax.Quote(w, syntax.LangPOSIX)
	if err != nil || q == w {
		// POSIX has no escapes for control characters, but single quotes hold every byte.
		return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return q
}

// Words splits a command line that consists of literal words only, quoted or
// not. Anything that a shell would expand or act on is an error: the server
// never runs a shell.
func Words(line string) ([]string, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(line), "")
	if err != nil || strings.Contains(line, "\r") { // which the parser drops at the end of a line, and a shell does not
		return nil, errors.New("not a plain command line")
	}
	if len(file.Stmts) == 0 {
		return nil, nil
	}
	stmt := file.Stmts[0]
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(file.Stmts) > 1 || len(call.Assigns) > 0 || len(stmt.Redirs) > 0 || stmt.Negated || stmt.Background || stmt.Pos().Line() > 1 {
		return nil, errors.New("only one command with plain words is possible")
	}
	words := make([]string, len(call.Args))
	for i, w := range call.Args {
		if words[i], ok = literal(w.Parts, false); !ok {
			return nil, errors.New("only plain words are possible, without expansions")
		}
	}
	return words, nil
}

// literal returns the text of word parts that need no expansion.
func literal(parts []syntax.WordPart, quoted bool) (string, bool) {
	var b strings.Builder
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			if !quoted && strings.ContainsAny(unescaped(p.Value), "*?[~") {
				return "", false
			}
			b.WriteString(unescape(p.Value, quoted))
		case *syntax.SglQuoted:
			if p.Dollar {
				return "", false
			}
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			inner, ok := literal(p.Parts, true)
			if !ok || p.Dollar {
				return "", false
			}
			b.WriteString(inner)
		default:
			return "", false
		}
	}
	return b.String(), true
}

// unescaped returns s without its escaped characters.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unescape takes the backslashes away as a shell does, within double quotes only before $ ` " \.
func unescape(s string, quoted bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if next := s[i+1]; next == '\n' {
				i++
				continue
			} else if !quoted || strings.IndexByte("$`\"\\", next) >= 0 {
				i++
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
