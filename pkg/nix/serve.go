package nix

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/git-deploy/git-deploy/pkg/proc"
)

// The protocol of `nix-store --serve`, which ssh:// stores and
// nix-copy-closure speak between all versions of Nix. It answers any number of
// questions in one process, and starting one is what a question costs.
const (
	serveHello   = 0x390c9deb
	serveAnswer  = 0x5452eecb
	serveVersion = 2<<8 | 5

	cmdQueryPathInfos = 2
	cmdQueryClosure   = 7

	maxString  = 1 << 20 // of the answer; a path is far shorter
	maxStrings = 1 << 22
)

// pathInfo is what the store knows of a valid path.
type pathInfo struct {
	size       int64 // as an archive
	references []string
}

// describe returns the closure of paths and what the store knows of each.
func (n *Nix) describe(ctx context.Context, paths ...string) (map[string]pathInfo, error) {
	for _, p := range paths {
		if err := storePath(p); err != nil {
			return nil, err
		}
	}
	infos, err := askStore(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("read closures: %w", err)
	}
	for _, p := range paths {
		if _, valid := infos[p]; !valid {
			return nil, fmt.Errorf("read closures: path '%s' is not valid", p)
		}
	}
	return infos, nil
}

func askStore(ctx context.Context, paths []string) (infos map[string]pathInfo, err error) {
	fromUs, toStore := io.Pipe()
	fromStore, toUs := io.Pipe()
	p, err := proc.Start(ctx, proc.Cmd{Argv: []string{"nix-store", "--serve"}, Stdin: fromUs, Stdout: toUs})
	if err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() {
		err := p.Wait()
		_ = toUs.CloseWithError(io.ErrUnexpectedEOF)
		_ = fromUs.CloseWithError(io.ErrClosedPipe)
		exited <- err
	}()
	infos, err = converse(bufio.NewReader(fromStore), toStore, paths)
	_ = toStore.Close()
	_ = fromStore.Close() // what it still says is not waited for
	// Its own words say more than a conversation that broke off.
	if exit := <-exited; err != nil && proc.Stderr(exit) != "" {
		err = exit
	}
	return infos, err
}

// converse asks for the closure and then for its paths.
func converse(from io.Reader, to io.Writer, paths []string) (map[string]pathInfo, error) {
	r := &wireReader{r: from}
	if _, err := to.Write(number(number(nil, serveHello), serveVersion)); err != nil {
		return nil, err
	}
	magic, version := r.number(), r.number()
	if r.err == nil && (magic != serveAnswer || version>>8 != 2) {
		return nil, fmt.Errorf("nix-store --serve speaks another protocol (%#x, version %#x)", magic, version)
	}
	version = min(version, serveVersion)

	ask := number(number(nil, cmdQueryClosure), 0) // 0: without outputs of derivations
	if _, err := to.Write(texts(ask, paths)); err != nil {
		return nil, err
	}
	closure := r.texts()
	if r.err != nil {
		return nil, r.err
	}
	if _, err := to.Write(texts(number(nil, cmdQueryPathInfos), closure)); err != nil {
		return nil, err
	}
	infos := make(map[string]pathInfo, len(closure))
	for r.err == nil {
		path := r.text()
		if path == "" {
			break
		}
		_ = r.text() // deriver
		info := pathInfo{references: r.texts()}
		_ = r.number() // download size
		info.size = int64(r.number())
		if version >= 2<<8|4 {
			_, _, _ = r.text(), r.text(), r.texts() // hash, content address, signatures
		}
		infos[path] = info
	}
	return infos, r.err
}

// number appends v in 8 bytes, least first.
func number(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

// texts appends a list: its length, then each with its length, filled to 8 bytes.
func texts(b []byte, list []string) []byte {
	b = number(b, uint64(len(list)))
	for _, s := range list {
		b = append(number(b, uint64(len(s))), s...)
		b = append(b, make([]byte, (8-len(s)%8)%8)...)
	}
	return b
}

// wireReader reads what number and texts write. After an error it gives zeros.
type wireReader struct {
	r   io.Reader
	err error
}

func (w *wireReader) number() uint64 {
	var b [8]byte
	if w.err == nil {
		_, w.err = io.ReadFull(w.r, b[:])
	}
	if w.err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

func (w *wireReader) text() string {
	n := w.number()
	if w.err == nil && n > maxString {
		w.err = errors.New("nix-store --serve: a string is too long")
	}
	if w.err != nil || n == 0 {
		return ""
	}
	b := make([]byte, (n+7)/8*8)
	if _, w.err = io.ReadFull(w.r, b); w.err != nil {
		return ""
	}
	return string(b[:n])
}

func (w *wireReader) texts() []string {
	n := w.number()
	if w.err == nil && n > maxStrings {
		w.err = errors.New("nix-store --serve: a list is too long")
	}
	var list []string
	for ; w.err == nil && n > 0; n-- {
		list = append(list, w.text())
	}
	return list
}
