package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FormatDuration writes d in at most six columns: 40ms 1.2s 34s 5m02s 3h04m.
func FormatDuration(d time.Duration) string {
	switch {
	case d < 0:
		return "0ms"
	case d < 100*time.Millisecond:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return formatSeconds(d.Round(time.Second))
}

// formatSeconds is for a running clock: whole seconds, so that it ticks once a second.
func formatSeconds(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", max(s, 0))
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}

// FormatBytes writes n with a binary unit: 12 B, 3.4 KiB, 1.2 GiB.
func FormatBytes(n int64) string {
	u, scale := byteUnit(n)
	return scaled(n, scale) + " " + u
}

// formatDelta is FormatBytes with a sign.
func formatDelta(n int64) string {
	if n < 0 {
		return "-" + FormatBytes(-n)
	}
	return "+" + FormatBytes(n)
}

func byteUnit(n int64) (string, int64) {
	if n < 0 {
		n = -n
	}
	scale := int64(1)
	for _, u := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if n < 1000*scale || u == "TiB" {
			return u, scale
		}
		scale *= 1024
	}
	return "B", 1
}

func scaled(n, scale int64) string {
	if scale == 1 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%.1f", float64(n)/float64(scale))
}

// formatAmount writes how far a step is: 12/34 paths, 1.2/3.4 MiB, 7 objects.
// What counts up is as wide as what it counts up to, so that nothing moves.
func formatAmount(done, expected int64, unit string) string {
	if unit == "bytes" {
		if expected <= 0 {
			return FormatBytes(done)
		}
		u, scale := byteUnit(expected)
		all := scaled(expected, scale)
		return padLeft(scaled(done, scale), len(all)) + "/" + all + " " + u
	}
	if expected <= 0 {
		return plural(done, strings.TrimSuffix(unit, "s"))
	}
	all := strconv.FormatInt(expected, 10)
	return strings.TrimRight(padLeft(strconv.FormatInt(done, 10), len(all))+"/"+all+" "+unit, " ")
}

// plural writes 1 path, 2 paths.
func plural(n int64, noun string) string {
	if noun == "" {
		return strconv.FormatInt(n, 10)
	}
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatInt(n, 10) + " " + noun
}

// bar draws a bar of w columns.
func (s Style) bar(done, expected int64, w int) string {
	if w <= 0 || expected <= 0 {
		return ""
	}
	sym := s.symbols()
	done = min(max(done, 0), expected)
	halves := int(float64(done) / float64(expected) * float64(2*w))
	full, rest := halves/2, w-halves/2
	text := strings.Repeat(sym.full, full)
	if halves%2 == 1 && sym.half != "" {
		text += sym.half
		rest--
	}
	return s.Paint(Accent, text) + s.Paint(Faint, strings.Repeat(sym.empty, rest))
}
