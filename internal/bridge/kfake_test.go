package bridge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// kafka is a broker in Go that speaks Kafka's protocol and keeps what it is given in a folder, as a process that can be killed. It knows
// producers and their sequence numbers as a real one does.
type kafka struct {
	env   []string
	cmd   *exec.Cmd
	stdin io.Closer
}

const (
	kafkaFolder = "CHANCERY_KAFKATEST_FOLDER"
	kafkaPort   = "CHANCERY_KAFKATEST_PORT"
	partitions  = 3
	largest     = 100_000 // bytes of a batch
)

// kafkaMain is called first thing in TestMain. In a process that startKafka began it is the broker, and never returns.
func kafkaMain() {
	folder := os.Getenv(kafkaFolder)
	if folder == "" {
		return
	}
	port, _ := strconv.Atoi(os.Getenv(kafkaPort))
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(folder), kfake.SyncWrites(), kfake.SeedTopics(partitions, "chancery"),
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "p/w"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(largest)}))
	if err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, "ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the process that began us
	c.Close()
	os.Exit(0)
}

func startKafka(t *testing.T) (*kafka, string) {
	t.Helper()
	port := freePort(t)
	k := &kafka{env: append(os.Environ(), kafkaFolder+"="+t.TempDir(), fmt.Sprint(kafkaPort, "=", port), "GOGC=")}
	if err := k.Again(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Kill)
	return k, fmt.Sprintf("kafka://ann:p%%2Fw@127.0.0.1:%d", port)
}

// Again starts it on what lies in its folder, and returns when it is ready.
func (k *kafka) Again() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	k.cmd = exec.Command(self)
	k.cmd.Env, k.cmd.Stderr = k.env, os.Stderr
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := k.cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		k.Kill()
		return errors.Join(fmt.Errorf("kafka said %q", line), err)
	}
	return nil
}

// Kill ends it as kill -9 does.
func (k *kafka) Kill() {
	_ = k.cmd.Process.Kill()
	_ = k.cmd.Wait()
}
