package conf

import (
	"net/url"
	"regexp"
	"strings"
)

// TranscriberOpenAI is the value of audio.transcriber that is shipped. Any other names a linked
// transcriber; the empty one, none.
const TranscriberOpenAI = "openai"

// language is a code as OpenAI takes it, such as en, pt or zh-TW.
var language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

func checkTranscription(a *Audio, ps *Problems) {
	const at = "audio.openai."
	o := a.GetOpenai()
	if u, err := url.Parse(o.GetBaseUrl()); err != nil || u.Host == "" || u.User != nil ||
		u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		ps.add(at+"base_url", "is not an http or https address without user, query and fragment, such as https://api.openai.com/v1")
	}
	if strings.ContainsFunc(o.GetApiKey(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		ps.add(at+"api_key", "has a space or a character outside ASCII, which cannot be sent in a header")
	}
	if l := o.GetLanguage(); l != "" && !language.MatchString(l) {
		ps.add(at+"language", "%q is not a language code; en and zh-TW are, for example", l)
	}
	if a.GetTranscriber() == TranscriberOpenAI && o.GetModel() == "" {
		ps.add(at+"model", "is empty; audio.transcriber openai needs the name of a model, such as whisper-1")
	}
}
