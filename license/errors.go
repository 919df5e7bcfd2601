package license

import "errors"

// Why a file is not accepted. The error that is returned wraps one of them and adds what is particular.
var (
	ErrTruncated = errors.New("the file is cut off")
	ErrMalformed = errors.New("not a licence file")
	ErrReencoded = errors.New("the file was written anew by something; it must stay byte for byte as it was issued")
	ErrAlgorithm = errors.New("the file is not signed with EdDSA")
	ErrHeader    = errors.New("the header must say alg, typ and kid, and nothing else")
	ErrType      = errors.New("the file is of another type")
	ErrKeyID     = errors.New("the file is signed with a key that is not among the vendor's keys")
	ErrSignature = errors.New("the signature is not that of the vendor: the file was changed, or somebody else made it")
	ErrClaims    = errors.New("the file is signed, but what it says makes no sense")

	ErrIssuer      = errors.New("the file is of another vendor")
	ErrTenant      = errors.New("the licence is another tenant's")
	ErrApp         = errors.New("the licence is for another app")
	ErrFingerprint = errors.New("the activation is another machine's")

	ErrFileExpired = errors.New("the file has expired; the licence may go on, with a new file")
	ErrNotBegun    = errors.New("the licence has not begun")
	ErrEnded       = errors.New("the licence has ended, and so has its time of grace")
	ErrClockBack   = errors.New("the clock was set back")

	ErrWitnessMissing = errors.New("there is no witness of the time; see Witness.Begin")
	ErrWitnessDamaged = errors.New("the witness of the time is damaged")
)

// Reason is which of the reasons above the error is, nil if it is none of them: then the file could not be judged.
func Reason(err error) error {
	for _, reason := range []error{
		ErrTruncated, ErrMalformed, ErrReencoded, ErrAlgorithm, ErrHeader, ErrType, ErrKeyID, ErrSignature, ErrClaims, ErrIssuer, ErrTenant, ErrApp,
		ErrFingerprint, ErrFileExpired, ErrNotBegun, ErrEnded, ErrClockBack, ErrWitnessMissing, ErrWitnessDamaged,
	} {
		if errors.Is(err, reason) {
			return reason
		}
	}
	return nil
}
