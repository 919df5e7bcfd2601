package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

// taken is a seat of licence n: of a holder until 09:00, or of a user.
func taken(n int, holder, who string) domain.SeatTaken {
	l := licensed(n).License
	e := domain.SeatTaken{Pool: domain.SeatPool(l), License: domain.OfLicense(l), App: "billing", Holder: holder}
	if who == "" {
		e.Seat, e.Until = l.FloatingSeat(holder), time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	} else {
		e.User = domain.UserID{UUID: uid(0x01, len(who))}
		e.Seat = l.NamedSeat(e.User)
	}
	return e
}

func TestASeatIsTakenKeptAndFreed(t *testing.T) {
	ci, cd, ann := taken(1, "ci", ""), taken(1, "cd", ""), taken(2, "", "ann")
	given(
		ci, domain.SeatKept{Seat: ci.Seat, Pool: ci.Pool, License: ci.License, Until: ci.Until.Add(time.Minute)},
		cd, domain.SeatLapsed{Seat: cd.Seat, Pool: cd.Pool, License: cd.License, Ended: cd.Until},
		ann, domain.SeatReleased{Seat: ann.Seat, Pool: ann.Pool, License: ann.License, Reason: "left"},
		taken(1, "ct", ""), domain.SeatReleased{Seat: taken(1, "ct", "").Seat, Pool: ci.Pool, License: ci.License}, taken(1, "ct", ""),
	).expect(t, projections.Core,
		`SELECT license_id, app, seating, user_id, holder, status, created_at, taken_at, expires_at, ended_at, end_reason, updated_at, version
			FROM license_seats ORDER BY version`,
		"3101 billing floating - ci taken 08:01 08:01 09:01 - - 08:02 2",
		"3101 billing floating - cd lapsed 08:03 08:03 09:00 09:00 - 08:04 4",
		"3102 billing named 0103 - released 08:05 08:05 - 08:06 left 08:06 6",
		"3101 billing floating - ct taken 08:07 08:09 09:00 - - 08:09 9")
}
