package license_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery/license"
)

func witness(t *testing.T) license.Witness {
	t.Helper()
	w := license.Witness{Path: filepath.Join(t.TempDir(), "seen")}
	if err := w.Begin(now); err != nil {
		t.Fatal(err)
	}
	return w
}

func content(t *testing.T, w license.Witness) string {
	t.Helper()
	text, err := os.ReadFile(w.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAWitnessRemembersTheLatestTime(t *testing.T) {
	w := witness(t)
	later := now.Add(time.Hour)
	if err := w.Check(later); err != nil {
		t.Fatal(err)
	}
	remembered := content(t, w)
	for ago, err := range map[time.Duration]error{
		0: nil, time.Minute: nil, 5 * time.Minute: nil, 5*time.Minute + 1: license.ErrClockBack, time.Hour: license.ErrClockBack, 1e6 * time.Hour: license.ErrClockBack,
	} {
		if got := w.Check(later.Add(-ago)); !errors.Is(got, err) {
			t.Errorf("%v ago: %v, want %v", ago, got, err)
		}
	}
	if got := content(t, w); got != remembered {
		t.Errorf("an earlier time is remembered: %s, not %s", got, remembered)
	}
	if err := w.Begin(now); err != nil || content(t, w) != remembered {
		t.Errorf("it began again: %s, %v", content(t, w), err)
	}
	if err := w.Check(later.In(time.FixedZone("elsewhere", -11*3600)).Add(time.Second)); err != nil {
		t.Errorf("the same clock in another zone: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(w.Path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func TestAWitnessThatIsMissingOrDamagedIsToldApart(t *testing.T) {
	w := license.Witness{Path: filepath.Join(t.TempDir(), "seen")}
	refused(t, "missing", w.Check(now), license.ErrWitnessMissing)
	if _, err := os.Lstat(w.Path); err == nil {
		t.Error("to ask made it")
	}
	good := content(t, witness(t))
	for name, text := range map[string]string{
		"empty": "", "cut": good[:20], "no line": strings.TrimSuffix(good, "\n"), "more": good + good, "zeros": strings.Repeat("\x00", len(good)),
		"another time":   strings.Replace(good, "2026-03-01", "2020-03-01", 1),
		"another format": strings.Replace(good, "witness-1", "witness-2", 1),
		"a word too few": "chancery-witness-1 2026-03-01T12:00:00Z\n",
	} {
		w := witness(t)
		if err := os.WriteFile(w.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, name, w.Check(now.Add(time.Hour)), license.ErrWitnessDamaged)
		if content(t, w) != text {
			t.Errorf("%s: it was mended", name)
		}
	}
	folder := license.Witness{Path: t.TempDir()}
	if err := folder.Check(now); err == nil || errors.Is(err, license.ErrWitnessMissing) || errors.Is(err, license.ErrWitnessDamaged) {
		t.Errorf("a folder: %v", err)
	}
	nowhere := license.Witness{Path: filepath.Join(t.TempDir(), "no", "such", "folder")}
	if err := nowhere.Begin(now); err == nil {
		t.Error("it began nowhere")
	}
}

func TestALicenceDoesNotLastLongerBecauseTheClockWasSetBack(t *testing.T) {
	w := witness(t)
	in := func(at time.Time) error {
		v := want()
		v.Now, v.Witness = at, &w
		_, err := license.Verify(signed(t), keys, v)
		return err
	}
	if err := in(now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	refused(t, "after its end", in(now.Add(120*time.Hour)), license.ErrEnded)
	refused(t, "set back", in(now.Add(time.Hour)), license.ErrClockBack)
	v := onMachine()
	v.Witness = &w
	_, err := license.VerifyCheckout(checkedOut(t), keys, v)
	refused(t, "a checkout", err, license.ErrClockBack)
	if err := os.Remove(w.Path); err != nil {
		t.Fatal(err)
	}
	refused(t, "removed", in(now.Add(time.Hour)), license.ErrWitnessMissing)
}

func TestWhatIsRefusedForOtherReasonsIsNotWitnessed(t *testing.T) {
	w := witness(t)
	v := want()
	v.Now, v.Witness, v.App = now.AddDate(1, 0, 0), &w, "crm"
	_, err := license.Verify(signed(t), keys, v)
	refused(t, "another app", err, license.ErrApp)
	if err := w.Check(now); err != nil {
		t.Errorf("a file for another app moved the clock: %v", err)
	}
}
