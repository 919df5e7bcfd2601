package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/argon2id"
)

type noKeys struct{}

func (noKeys) Pepper(p string) (string, []byte)       { h := sha256.Sum256([]byte(p)); return "p", h[:] }
func (noKeys) PepperOf(string, string) ([]byte, bool) { return nil, false }
func (noKeys) TokenSecret(...string) [32]byte         { return [32]byte{1} }

func TestHashesAtOnceStayWithinMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := newHasher(noKeys{}, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, err := h.admit(t.Context(), strong)
		if err != nil {
			t.Fatal(err)
		}
		impatient, leave := context.WithCancel(t.Context())
		left, admitted := make(chan error, 1), make(chan func(), 1)
		go func() {
			_, err := h.admit(impatient, ordinary)
			left <- err
		}()
		synctest.Wait()
		select {
		case err := <-left:
			t.Fatalf("beyond the memory: %v", err)
		default:
		}
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("whoever leaves is told %v", err)
		}
		go func() {
			done, err := h.admit(t.Context(), argon2id.Params{Memory: 1 << 30}) // more than there is: alone
			if err != nil {
				t.Error(err)
			}
			admitted <- done
		}()
		synctest.Wait()
		if len(admitted) != 0 {
			t.Fatal("more than all of the memory is given while some is in use")
		}
		first()
		(<-admitted)()
		if !h.memory.TryAcquire(h.most) {
			t.Error("memory is not given back")
		}
	})
}
