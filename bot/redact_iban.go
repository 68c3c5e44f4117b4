package bot

// ibanLengths are the lengths of the countries' IBANs. Source: SWIFT, IBAN Registry (ISO 13616).
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22,
	"GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30,
	"KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
	"MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
	"RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// findIBANs finds international bank account numbers, in small letters too, with or without gaps: a country's letters, its length, and
// a good checksum.
func findIBANs(n normal, found func(from, to int)) {
	s := n.text
	for i := 0; i+4 <= len(s); i++ {
		if !isLetter(s[i]) || !isLetter(s[i+1]) {
			continue
		}
		size, ok := ibanLengths[string([]byte{upper(s[i]), upper(s[i+1])})]
		if !ok {
			continue
		}
		if to, ok := ibanEnd(s, i, size); ok {
			found(i, to)
		}
	}
}

// ibanEnd returns where an IBAN of a number of characters ends that begins at from, if there is one.
func ibanEnd(s string, from, size int) (to int, ok bool) {
	sum, account, figures := 0, size-4, 0
	var check [2]byte
	to = from + 2
	for i := range size - 2 {
		next := to
		for next < len(s) && next-to < maxGap && gap(s[next]) {
			next++
		}
		if next == len(s) || !isLetter(s[next]) && !isDigit(s[next]) {
			return 0, false
		}
		to = next + 1
		switch {
		case i < len(check) && !isDigit(s[next]):
			return 0, false
		case i < len(check):
			check[i] = s[next]
			continue
		case isDigit(s[next]):
			figures++
		}
		sum = mod97(sum, s[next])
	}
	for _, c := range []byte{s[from], s[from+1], check[0], check[1]} {
		sum = mod97(sum, c)
	}
	return to, sum == 1 && 2*figures >= account // words rarely look like one; numbers never hold that few figures
}

func gap(c byte) bool { return c == ' ' || c == '\n' || c == '-' || c == '.' || c == '_' }

// mod97 adds a character to the check of ISO 7064, MOD 97-10, where a letter counts as the two digits 10 to 35.
func mod97(sum int, c byte) int {
	if isDigit(c) {
		return (sum*10 + int(c-'0')) % 97
	}
	return (sum*100 + int(upper(c)-'A') + 10) % 97
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 0x20
	}
	return c
}
