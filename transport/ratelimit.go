package transport

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"chancery/domain"
)

// limits bounds how often one user calls. mu owns users.
type limits struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex
	users map[domain.UserID]*rate.Limiter
}

const mostLimiters = 10_000

func newLimits(perSecond float64, burst int) *limits {
	if burst <= 0 {
		burst = int(math.Ceil(2 * perSecond))
	}
	return &limits{rate: rate.Limit(perSecond), burst: burst, users: map[domain.UserID]*rate.Limiter{}}
}

// admit refuses a call that comes too soon.
func (l *limits) admit(u domain.UserID, now time.Time) error {
	if l.rate <= 0 {
		return nil
	}
	r := l.of(u, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	p := newProblem(http.StatusTooManyRequests, "too-many-requests", "the caller sends too many requests")
	p.retry = strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return p
}

func (l *limits) of(u domain.UserID, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.users[u]; found != nil {
		return found
	}
	if len(l.users) >= mostLimiters {
		for id, idle := range l.users {
			if idle.TokensAt(now) >= float64(l.burst) {
				delete(l.users, id)
			}
		}
	}
	made := rate.NewLimiter(l.rate, l.burst)
	l.users[u] = made
	return made
}
