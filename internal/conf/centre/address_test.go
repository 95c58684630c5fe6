package centre

import (
	"slices"
	"strings"
	"testing"
)

func noEnv(string) string { return "" }

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		shown, key, user, password, token string
		folder                            bool
	}{
		"etcd://127.0.0.1:2379/hermod/prod.yaml":                     {shown: "etcd://127.0.0.1:2379/hermod/prod.yaml", key: "hermod/prod.yaml"},
		"etcd://a,b:1,[::1],[::2]:3//x":                              {shown: "etcd://a:2379,b:1,[::1]:2379,[::2]:3//x", key: "/x"},
		"etcd://me:se%40cret@a/hermod/":                              {shown: "etcd://a:2379/hermod/", key: "hermod/", user: "me", password: "se@cret", folder: true},
		"etcd://a/k?username=me&password=hush&tls=true":              {shown: "etcd://a:2379/k", key: "k", user: "me", password: "hush"},
		"consul://a/hermod/prod.yaml?token=hush&datacenter=dc1":      {shown: "consul://a:8500/hermod/prod.yaml?datacenter=dc1", key: "hermod/prod.yaml", token: "hush"},
		"nacos://a/hermod.yaml?group=G&namespace=n%2F1&password=hsh": {shown: "nacos://a:8848/hermod.yaml?group=G&namespace=n%2F1", key: "hermod.yaml", password: "hsh"},
	} {
		a, err := parse(text, noEnv)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if a.String() != want.shown || a.key != want.key || a.username != want.user || a.password != want.password || a.token != want.token || a.folder() != want.folder {
			t.Errorf("%s: %+v shown as %s", text, a, a)
		}
	}
}

func TestCredentialsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	env := func(name string) string {
		return map[string]string{EnvUsername: "envuser", EnvPassword: "envpass", EnvToken: "envtoken"}[name]
	}
	if a, err := parse("etcd://a/k", env); err != nil || a.username != "envuser" || a.password != "envpass" || a.token != "envtoken" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := parse("etcd://x:y@a/k", env); err != nil || a.username != "x" || a.password != "y" {
		t.Errorf("the address does not win: %+v, %v", a, err)
	}
}

// TestAddressesThatAreWrong also proves that no credentials are repeated.
func TestAddressesThatAreWrong(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"zookeeper://a/k":                  "etcd, consul and nacos are",
		"etcd://a":                         "names no key",
		"etcd://a/":                        "names no key",
		"etcd:///k":                        "is not a host",
		"etcd://a:0/k":                     "is not a host",
		"etcd://a:http/k":                  "is not a host",
		"etcd://a,,b/k":                    "is not a host",
		"etcd://me:hush@:1/k":              "is not a host",
		"etcd://a/k?pasword=hush":          `"pasword" is not known after the ?; username, password`,
		"etcd://a/k?token=hush":            `"token" is not known`,
		"etcd://a/k?tls=perhaps":           "true or false is allowed",
		"etcd://a/k?cert=c.pem":            "belong together",
		"etcd://me:hu%sh@a/k":              "is not an address",
		"etcd://a/k%zz?password=hush":      "is not an address",
		"etcd://a/k?password=hush;x&y=%zz": "is not name=value",
	} {
		_, err := Open(text, Options{})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
		if err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "hu%sh")) {
			t.Errorf("%s: a secret is shown: %v", text, err)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]string{
		"":                             nil,
		"a.yaml":                       {"a.yaml"},
		"a.yaml , ,conf.d/":            {"a.yaml", "conf.d/"},
		"etcd://a:1,b:2/k,/etc/x.yaml": {"etcd://a:1,b:2/k", "/etc/x.yaml"},
		"x.yaml,consul://a/k,nacos://b/k?group=G,y": {"x.yaml", "consul://a/k", "nacos://b/k?group=G", "y"},
		"etcd://a,b": {"etcd://a", "b"},
	} {
		if got := Split(list); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}

// FuzzParse: no address makes it fail in another way than by an error, and what is shown of one that
// was understood leads to the same place.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"etcd://a:1,b/k?tls=true", "consul://x:y@[::1]/a//b/", "nacos://h/%41?group=%20", "://", "etcd://@/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		Split(text)
		a, err := parse(text, noEnv)
		if err != nil {
			return
		}
		if a.key == "" || len(a.hosts) == 0 {
			t.Errorf("%q was understood as %+v", text, a)
		}
	})
}
