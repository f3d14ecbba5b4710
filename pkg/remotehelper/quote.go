package remotehelper

import (
	"fmt"
	"strings"
)

const escapes = `abtnvfr` // for the bytes 7 to 13

// Quote returns s as git writes a string that may need quotes: as it is, or in
// double quotes with C's escapes.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	plain := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= 7 && c <= 13:
			b.WriteByte('\\')
			b.WriteByte(escapes[c-7])
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
			continue
		}
		plain = false
	}
	if plain {
		return s
	}
	b.WriteByte('"')
	return b.String()
}

// Unquote undoes Quote and git's own quoting. A string that does not begin with a quote is returned as it is.
func Unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	bad := fmt.Errorf("%.60q is not quoted as git quotes", s)
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			if i != len(s)-1 {
				return "", bad
			}
			return b.String(), nil
		case '\\':
			i++
			if i == len(s) {
				return "", bad
			}
			if at := strings.IndexByte(escapes, s[i]); at >= 0 {
				b.WriteByte(byte(7 + at))
			} else if s[i] == '"' || s[i] == '\\' {
				b.WriteByte(s[i])
			} else if i+2 < len(s) && s[i] >= '0' && s[i] <= '3' && octal(s[i+1]) && octal(s[i+2]) {
				b.WriteByte((s[i]-'0')<<6 | (s[i+1]-'0')<<3 | (s[i+2] - '0'))
				i += 2
			} else {
				return "", bad
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", bad
}

func octal(c byte) bool { return c >= '0' && c <= '7' }
