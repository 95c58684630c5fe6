package conf

import "strings"

// maxFormat is longer than any name of a format in use.
const maxFormat = 16

// checkAudio wants formats that fit a file name, since recordings are downloaded under one.
func checkAudio(a *Audio, ps *Problems) {
	const path = "audio.formats"
	if len(a.GetFormats()) == 0 {
		ps.add(path, "is empty; name at least one format (room.defaults.allow_audio false makes rooms that take none)")
	}
	seen := map[string]bool{}
	for i, f := range a.GetFormats() {
		at := indexed(path, i)
		switch {
		case f == "" || len(f) > maxFormat || strings.Trim(f, "abcdefghijklmnopqrstuvwxyz0123456789") != "":
			ps.add(at, "%q is not a format; write 1 to %d letters in lower case and digits, like opus or mp3", f, maxFormat)
		case seen[f]:
			ps.add(at, "%q is in the list already", f)
		}
		seen[f] = true
	}
	checkURLSecrets(a.GetUrl().Keys(), ps)
}

// minURLSecret is what a secret must have so that nobody finds it by trying.
const minURLSecret = 32

// Keys are what addresses are signed with and verified by, the signing one first.
func (u *Audio_Url) Keys() []string { return CommaList(u.GetSecrets()) }

// checkURLSecrets says what is wrong with a secret without showing it.
func checkURLSecrets(secrets []string, ps *Problems) {
	const at = "audio.url.secrets"
	seen := map[string]bool{}
	for i, secret := range secrets {
		if len(secret) < minURLSecret {
			ps.add(at, "number %d has %d characters; it needs %d or more, such as what openssl rand -hex 32 prints", i+1, len(secret), minURLSecret)
		}
		if seen[secret] {
			ps.add(at, "number %d is there twice", i+1)
		}
		seen[secret] = true
	}
}
