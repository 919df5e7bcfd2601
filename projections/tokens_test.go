package projections_test

import (
	"testing"
	"time"

	"chancery/domain"
	"chancery/projections"
)

func TestATokenIsRotatedAndRevoked(t *testing.T) {
	one, two := domain.TokenID{UUID: uid(0x70, 1)}, domain.TokenID{UUID: uid(0x70, 2)}
	ann := domain.UserID{UUID: uid(0x05, 1)}
	until := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	given(
		domain.TokenIssued{Token: one, User: ann, Name: "deploy", Prefix: "chn_aaaa", Hash: []byte{1}, Scopes: []domain.Pattern{"core.*", "repo.read"}, ExpiresAt: until},
		domain.TokenIssued{Token: two, User: ann, Name: "bare", Prefix: "chn_bbbb", Hash: []byte{2}, ExpiresAt: until},
		domain.TokenRotated{Token: one, User: ann, Hash: []byte{3}, ExpiresAt: until.Add(time.Hour)},
		domain.TokenRotated{Token: two, User: ann, Hash: []byte{4}, ExpiresAt: until},
		domain.TokenRevoked{Token: two, User: ann},
	).expect(t, projections.Core,
		"SELECT id, user_id, name, prefix, token_hash, scopes, status, expires_at, created_at, rotated_at, revoked_at, version FROM api_tokens ORDER BY id",
		"7001 0501 deploy chn_aaaa [3] [core.* repo.read] active 13:00 08:01 08:03 - 3",
		"7002 0501 bare chn_bbbb [4] [] revoked 12:00 08:02 08:04 08:05 5")
}
