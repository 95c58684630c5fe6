package datatest

import (
	"strings"

	"github.com/game-im/hermod/internal/biz"
)

// saidInWords is what was said in room r, by seq.
var saidInWords = []string{
	1:  "The quick brown fox jumps over the lazy dog",
	2:  "I am at the Café in Zürich; ÉCOLE is out",
	3:  "今天天气很好，我们去公园散步吧",
	4:  "我在北京大学学习 Golang 编程",
	5:  "東京タワーに行きました",
	6:  "안녕하세요 여러분, 반갑습니다",
	7:  "See you at 10:30 👍🏽 don't be late 🎉🎉",
	8:  "mail me: jane.doe@example.com or https://example.com/a-page?x=1",
	9:  "ＦＵＬＬ　ｗｉｄｔｈ ｶﾀｶﾅ",
	10: "a is to be or not to be, that is the question",
	11: "Привет, Ёжик! Straße und GROSSE STRASSE",
	12: "fox and dog, but brown before quick",
	13: "👨‍👩‍👧 family",
	14: "v2 of the file is at 3.14, ٣ and ①",
	15: "สวัสดีครับ ทุกคน",
	16: strings.Repeat("Donaudampfschifffahrt", 10) + " 你",
	17: "WWW en la com",
	18: "北大",
	19: "天 气",
}

// wordsFound are queries and the messages of saidInWords that they find, the newest first.
var wordsFound = map[string]string{
	"fox":                  "r12 r1",
	"FOX":                  "r12 r1",
	"fox dog":              "r12 r1",
	"dog   fox":            "r12 r1",
	"quick brown":          "r12 r1",
	`"quick brown"`:        "r1",
	`"brown quick"`:        "",
	"“quick brown” lazy":   "r1",
	`"quick brown`:         "r1",
	"quick-brown":          "r1",
	"fo":                   "",
	"cat":                  "",
	"fox cat":              "",
	"cafe":                 "r2",
	"CAFÉ":                 "r2",
	"cafe\u0301":           "r2",
	"zurich":               "r2",
	"école":                "r2",
	"天气":                   "r3",
	"天":                    "r19 r3",
	"天 气":                  "r19 r3",
	"公园散步":                 "r3",
	"园散":                   "r3",
	"散步公园":                 "",
	"天气 公园":                "r3",
	"好我":                   "",
	`"好 我"`:                "r3",
	"北京大学":                 "r4",
	"北大":                   "r18",
	"golang":               "r4",
	"学习golang":             "r4",
	"golang 北京":            "r4",
	"東京":                   "r5",
	"タワー":                  "r5",
	"ワーに":                  "r5",
	"안녕":                   "r6",
	"여러분":                  "r6",
	"👍":                    "r7",
	"👍🏿":                   "r7",
	"🎉":                    "r7",
	"🎉🎉":                   "r7",
	"🎉🎉🎉":                  "",
	"don't":                "r7",
	"10:30":                "r7",
	"jane.doe@example.com": "r8",
	"doe":                  "r8",
	"https://example.com":  "r8",
	"example":              "r8",
	"com":                  "r17 r8",
	"full width":           "r9",
	"カタカナ":                 "r9",
	"ｶﾀ":                   "r9",
	"a":                    "r10 r8",
	"to be or not to be":   "r10",
	`"to be or not to be"`: "r10",
	`"not to be or"`:       "",
	"the":                  "r14 r10 r2 r1",
	"привет":               "r11",
	"ежик":                 "r11",
	"strasse":              "r11",
	"STRAẞE":               "r11",
	"👨‍👩‍👧":                "r13",
	"👩":                    "r13",
	"3.14":                 "r14",
	"1":                    "r14 r8",
	"สวัสดี":               "r15",
	"ทุกคน":                "r15",
	strings.Repeat("donaudampfschifffahrt", 10): "r16",
	strings.Repeat("donaudampfschifffahrt", 9):  "",
	"你":           "r16",
	"www en la":   "r17",
	"qwfox":       "",
	"fox OR cat":  "",
	"fox NOT dog": "",
	"fo*":         "",
	"-fox":        "r12 r1",
	"(fox) & !x":  "",
	"fox'; --":    "r12 r1",
}

func testSearchWords(s scene) {
	s.join("r", "u")
	s.speak("r", "u", saidInWords[1:]...)
	s.index()
	for query, want := range wordsFound {
		var ids []string
		if want != "" {
			ids = strings.Fields(want)
		}
		s.wantFound("u", biz.SearchRequest{Query: query}, ids...)
	}
}
