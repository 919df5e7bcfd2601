package domain

import "fmt"

// Place is a place in the input (RFC 6901), and what is wrong or missing there.
type Place struct {
	Pointer string
	Detail  string
}

// InputErrors is one refusal with all the places in the input that it is about, of which there is at least one.
type InputErrors struct {
	*Refusal
	Places []Place
}

// mostPlaces is how many are told; more would only repeat the lesson.
const mostPlaces = 50

func (e *InputErrors) Error() string {
	first := e.Places[0].Pointer + ": " + e.Places[0].Detail
	if more := len(e.Places) - 1; more > 0 {
		return fmt.Sprintf("%s (and %d more)", first, more)
	}
	return first
}

func (e *InputErrors) Unwrap() error { return e.Refusal }

// Refused is the refusal with its places; nil if there are none.
func Refused(r *Refusal, places []Place) error {
	if len(places) == 0 {
		return nil
	}
	return &InputErrors{r, places[:min(len(places), mostPlaces)]}
}

// PlacesOf are the places that an error of this package is about; of one without places that of the whole input.
func PlacesOf(err error) []Place {
	switch e := err.(type) { //nolint:errorlint // errors of this package come unwrapped
	case nil:
		return nil
	case *InputErrors:
		return e.Places
	case *InputError:
		return []Place{{e.Pointer, e.Detail}}
	}
	return []Place{{"", err.Error()}}
}
