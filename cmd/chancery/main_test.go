package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const asItself = "CHANCERY_TEST_MAIN"

// TestMain makes the binary of the tests the program itself where they run it: the parser ends the process.
func TestMain(m *testing.M) {
	if os.Getenv(asItself) != "" {
		main()
	}
	os.Exit(m.Run())
}

// chancery is the exit status of the program, and what it printed.
func chancery(t *testing.T, args string, env ...string) (status int, out, words string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), os.Args[0], strings.Fields(args)...)
	c.Env, c.Stdout, c.Stderr = append(append(os.Environ(), asItself+"=1"), env...), &stdout, &stderr
	if err := c.Run(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); !ended {
			t.Fatal(err)
		}
	}
	return c.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

func TestHelpIsAskedForByAWordToo(t *testing.T) {
	for word, flag := range map[string]string{"help": "--help", "help serve": "serve --help", "help license verify": "license verify --help"} {
		_, want, _ := chancery(t, flag)
		if status, out, words := chancery(t, word); status != 0 || words != "" || out != want || !strings.HasPrefix(out, "Usage: chancery") {
			t.Errorf("%s: %d %q %q", word, status, out, words)
		}
	}
	if status, _, words := chancery(t, "nonsense"); status == 0 || !strings.Contains(words, "nonsense") {
		t.Errorf("nonsense: %d %q", status, words)
	}
}

func TestSettingsThatNothingCouldBeDeliveredWithAreRefusedByTheirFlags(t *testing.T) {
	for flag, values := range map[string][]string{
		"webhook-timeout":   {"0s", "-1s", ""},
		"delivery-schedule": {"5s,5s", "0s,-5s", "0s,,5s", "-1s", "0s,x"},
		"delivery-give-up":  {"0s", "-1h"},
		"delivery-keep":     {"0s"},
	} {
		variable := "CHANCERY_" + strings.ReplaceAll(strings.ToUpper(flag), "-", "_")
		for _, v := range values {
			for _, how := range []struct{ args, env string }{{"version --" + flag + "=" + v, ""}, {"version", variable + "=" + v}} {
				if v == "" && how.env != "" {
					continue // a variable that is empty is none
				}
				status, _, words := chancery(t, how.args, how.env)
				if status == 0 || !strings.Contains(words, "error: --"+flag+": ") {
					t.Errorf("%s %s: %d %.300s", how.args, how.env, status, words)
				}
			}
		}
	}
	for _, fine := range []string{"--delivery-schedule=0s", "--delivery-schedule=0s,0s,1h", "--delivery-keep=-1s", "--webhook-timeout=1ms", "--delivery-give-up=1s"} {
		if status, _, words := chancery(t, "version "+fine); status != 0 {
			t.Errorf("%s: %d %s", fine, status, words)
		}
	}
}
