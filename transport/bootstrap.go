package transport

import (
	"github.com/google/uuid"

	"chancery/internal/strictjson"
)

type newAdmin struct {
	Email       string `json:"email" required:"true" description:"of the first administrator"`
	DisplayName string `json:"display_name" required:"true" description:"1 to 200 characters"`
}

type firstAdmin struct {
	Token    string    `json:"token" description:"an API token; it is shown once"`
	UserID   uuid.UUID `json:"user_id"`
	TenantID uuid.UUID `json:"tenant_id" description:"the root tenant: the platform"`
}

// bootstrap makes the first administrator, once.
func (s *Server) bootstrap(c *call) error {
	token, ok := bearer(c)
	if !ok {
		return unauthenticated(challengeNone)
	}
	if err := isJSON(c); err != nil {
		return err
	}
	body, err := read(c, strictjson.Limit)
	if err != nil {
		return err
	}
	defer body.release()
	var admin newAdmin
	if err := decode(body.Bytes(), &admin); err != nil {
		return err
	}
	secret, user, tenant, err := s.config.Bootstrap(c.ctx(), c.origin(), token, admin.Email, admin.DisplayName)
	if err != nil {
		return err
	}
	return c.answer(firstAdmin{secret, user, tenant})
}
