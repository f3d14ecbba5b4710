package transport

import (
	"os"
	"sync"
	"testing"
)

// TestPrivateDirsAtOnce: what several processes make at the same moment none
// of them takes for left behind.
func TestPrivateDirsAtOnce(t *testing.T) {
	base, err := os.MkdirTemp("", "d") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				d, err := privateDirIn(base)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stat(d.file("lock")); err != nil {
					t.Error(err)
				}
				d.remove()
			}
		})
	}
	wg.Wait()
}
