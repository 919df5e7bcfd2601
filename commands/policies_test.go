package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

func set(key, value string) dcb.Decision {
	return commands.SetPolicy{Key: key, Value: value}.Decide(env())
}

func TestASettingTakesTheValuesOfItsType(t *testing.T) {
	for key, values := range map[string]map[string]string{ // the normal form, or nothing where it is refused
		domain.TokenDays.Key:      {"1": "1", "3650": "3650", "007": "7", "0": "", "3651": "", "-1": "", "": "", "1.5": "", "99999999999999999999": ""},
		domain.AssignmentDays.Key: {"0": "0", "3650": "3650", "-1": "", "3651": ""},
		domain.OverrideDays.Key:   {"1": "1", "0": "", "3651": ""},
		domain.EmailRequired.Key:  {"true": "true", "false": "false", "TRUE": "", "1": "", "": ""},
	} {
		for value, normal := range values {
			s, _ := domain.SettingOf(key)
			if normal == "" {
				given().When(set(key, value)).ThenInvalid(t, "/value")
			} else {
				given().When(set(key, value)).Then(t, domain.PolicySet{Policy: s.ID(acme), Key: key, Value: normal, Version: 1})
			}
		}
	}
}

func TestAValueIsNotTrimmed(t *testing.T) {
	given().When(set(domain.TokenDays.Key, " 1")).ThenInvalid(t, "/value")
	given().When(set(domain.EmailRequired.Key, "true ")).ThenInvalid(t, "/value")
}

func TestEverySettingTakesItsDefault(t *testing.T) {
	for _, s := range domain.Settings {
		if got, err := s.Check("", s.Default); err != nil || got != s.Default {
			t.Errorf("the default of %s is refused or changed: %q, %v", s.Key, got, err)
		}
		if s.Doc == "" {
			t.Errorf("%s says nothing about itself", s.Key)
		}
	}
}

func TestASettingCountsItsChanges(t *testing.T) {
	key, id := domain.TokenDays.Key, domain.TokenDays.ID(acme)
	reset := func() dcb.Decision { return commands.ResetPolicy{Key: key}.Decide(env()) }
	h := given()
	h.When(reset()).ThenNothing(t)
	h = h.and(domain.PolicySet{Policy: id, Key: key, Value: "30", Version: 1})
	h.When(set(key, "30")).ThenNothing(t)
	h.When(set(key, "31")).Then(t, domain.PolicySet{Policy: id, Key: key, Value: "31", Version: 2})
	h.When(reset()).Then(t, domain.PolicyReset{Policy: id, Key: key, Version: 2})
	h = h.and(domain.PolicyReset{Policy: id, Key: key, Version: 2})
	h.When(reset()).ThenNothing(t)
	h.When(set(key, "30")).Then(t, domain.PolicySet{Policy: id, Key: key, Value: "30", Version: 3})
	given().elsewhere(globex, domain.PolicySet{Policy: id, Key: key, Value: "30", Version: 1}).When(reset()).ThenNothing(t)
}

func TestSettingsThatDoNotExistAreNotThere(t *testing.T) {
	given().When(set("no.such", "1")).ThenRefused(t, domain.ErrPolicyUnknown)
	given().When(commands.ResetPolicy{Key: ""}.Decide(env())).ThenRefused(t, domain.ErrPolicyUnknown)
}

func TestSettingsOfThePlatformAreMadeThere(t *testing.T) {
	key := domain.OverrideAllow.Key
	given().When(set(key, "file.read")).ThenRefused(t, domain.ErrPolicyPlatform)
	given().When(commands.ResetPolicy{Key: key}.Decide(env())).ThenRefused(t, domain.ErrPolicyPlatform)
	put := func(value string) outcome {
		return given().WhenIn(domain.Root, commands.SetPolicy{Key: key, Value: value}.Decide(onPlatform(env())))
	}
	put("  file.read  repo.* file.read\n").Then(t, domain.PolicySet{Policy: domain.OverrideAllow.ID(domain.Root), Key: key, Value: "file.read repo.*", Version: 1})
	put("").Then(t, domain.PolicySet{Policy: domain.OverrideAllow.ID(domain.Root), Key: key, Version: 1})
	put("*").Events(t)
	for _, bad := range []string{"file", "File.read", "file.read,repo.*", "repo.*.x", "re*.x"} {
		put(bad).ThenInvalid(t, "/value")
	}
}
