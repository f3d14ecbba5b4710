package health

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/git-deploy/git-deploy/pkg/bundle"
	"github.com/git-deploy/git-deploy/pkg/ui"
)

const (
	maxBody = 1 << 20 // of an answer or a file, for the regular expression
	excerpt = 80      // of a body, for the error
	maxHops = 10      // redirects
)

func httpProbe(c bundle.Check) (probe, error) {
	if c.URL == "" {
		return nil, errors.New("it has no url")
	}
	want := cmp.Or(c.Status, http.StatusOK)
	body, err := regexp.Compile(c.Body)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return func(ctx context.Context) error {
		config, err := tlsConfig(c)
		if err != nil {
			return err
		}
		client := &http.Client{
			// No proxy: the address itself is asked. No kept connection: each try is a new one.
			Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config, ForceAttemptHTTP2: true},
			CheckRedirect: func(_ *http.Request, via []*http.Request) error {
				switch {
				case want >= 300 && want < 400: // the redirect is the answer
					return http.ErrUseLastResponse
				case len(via) >= maxHops:
					return fmt.Errorf("redirected more than %d times", maxHops)
				}
				return nil
			},
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
		if err != nil {
			return err
		}
		req.Header.Set("User-Agent", "git-deploy")
		res, err := client.Do(req)
		if err != nil {
			return distrust(err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != want {
			// As much as there is at once: an answer that never ends has its status all the same.
			text := make([]byte, 16*excerpt)
			n, _ := res.Body.Read(text)
			return fmt.Errorf("%s answered with status %d, not %d%s", c.URL, res.StatusCode, want, quoted(text[:n]))
		}
		if c.Body == "" {
			return nil // the status is the answer, however the body ends
		}
		text, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
		switch {
		case body.Match(text):
			return nil // also where the rest never comes
		case err != nil:
			return fmt.Errorf("read the answer of %s: %w", c.URL, err)
		}
		return fmt.Errorf("the answer of %s does not match %q%s", c.URL, c.Body, quoted(text))
	}, nil
}

// tlsConfig is made for every try: the certificates may come with what is being deployed.
func tlsConfig(c bundle.Check) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure}
	if c.CA == "" || c.Insecure {
		return config, nil
	}
	pem, err := readRegular(c.CA)
	if err != nil {
		return nil, fmt.Errorf("read ca: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca %s holds no PEM certificate", c.CA)
	}
	return config, nil
}

// distrust says what to do about a certificate of one's own.
func distrust(err error) error {
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return fmt.Errorf("%w (the check's option ca names certificates to trust)", err)
	}
	return err
}

// markup is what a page of HTML holds beside its words.
var markup = regexp.MustCompile(`(?is)<(?:head|script|style)\b.*?</(?:head|script|style)>|<[^>]*>`)

// quoted is the beginning of a body, on one line; of a page of HTML, its words.
func quoted(body []byte) string {
	body = body[:min(len(body), 16*excerpt)]
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		body = markup.ReplaceAll(body, []byte(" "))
	}
	lines := strings.Split(string(body), "\n")
	for i := range lines {
		lines[i] = ui.Clean(lines[i])
	}
	text := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
	if text == "" {
		return ""
	}
	if r := []rune(text); len(r) > excerpt {
		text = string(r[:excerpt]) + "…"
	}
	return ": " + text
}

func tcpProbe(c bundle.Check) (probe, error) {
	if c.Port < 1 || c.Port > 65535 {
		return nil, fmt.Errorf("port %d is not between 1 and 65535", c.Port)
	}
	address := net.JoinHostPort(cmp.Or(c.Host, "localhost"), strconv.Itoa(c.Port))
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}, nil
}
