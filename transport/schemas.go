package transport

import (
	"net/http"

	"chancery/domain"
)

const (
	manifestSchemaPath = "/v1/schemas/app-manifest.json"
	schemaMedia        = "application/schema+json"
)

// manifestSchema tells everybody what a manifest of an app must be, for editors and for who publishes from elsewhere.
func (s *Server) manifestSchema(c *call) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=3600")
	return c.Blob(http.StatusOK, schemaMedia, domain.ManifestSchema)
}
