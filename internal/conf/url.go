package conf

import (
	"net/url"
	"strings"
)

// hiddenInURL stands for a secret where Hidden would be escaped; url.URL.Redacted has chosen it.
const hiddenInURL = "xxxxx"

// ShownURL is an address as people may see it: without the password of its user and the values of its query, which may be
// tokens. Any other text is shown as it is.
func ShownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	if _, secret := u.User.Password(); !secret && u.RawQuery == "" {
		return text
	}
	pairs := strings.Split(u.RawQuery, "&")
	for i, pair := range pairs {
		switch name, _, named := strings.Cut(pair, "="); {
		case named:
			pairs[i] = name + "=" + hiddenInURL
		case pair != "":
			pairs[i] = hiddenInURL
		}
	}
	u.RawQuery = strings.Join(pairs, "&")
	return u.Redacted()
}
