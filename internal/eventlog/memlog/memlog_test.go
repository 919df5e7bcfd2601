package memlog_test

import (
	"testing"

	"chancery/internal/eventlog"
	"chancery/internal/eventlog/logtest"
	"chancery/internal/eventlog/memlog"
)

func TestTheLogInMemoryPassesTheSuite(t *testing.T) {
	logtest.Run(t, func(_ *testing.T, c eventlog.Config) eventlog.Log { return memlog.New(c) })
}
