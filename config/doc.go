// Package config reads hitl's one configuration file.
//
// [Load] turns a YAML file and the environment into a [Config] in which every default is filled in and every reference
// between sections (a source's classifier, a rule's queue) is known to lead somewhere. It stops at no first mistake: the error
// is an [*Error] that lists all of them, each with its line, the path of the field and what would be right. [Example] is the
// whole file with a comment on every key.
//
// What a section holds, what its defaults and limits are stands in one place, the tags of its struct:
//
//	yaml      the key in the file
//	default   the value when the key is absent, written as in the file (lists: separated by commas)
//	required  the key must be given and must not be empty
//	oneof     the values a text may have, separated by |
//	min, max  the limits of a number, a duration, a size or, for texts, of the number of characters; in lists and
//	          maps they hold for each element
//
// Values, and only values, may hold references:
//
//	${NAME}           the environment variable, which must be set
//	${NAME:-default}  the same, or default when the variable is unset or empty
//	${file:PATH}      what the file holds, without its last line break: for secrets that are mounted as files
//	${file:PATH:-x}   the same, or x when the file is missing or empty: for secrets that only some commands are given
//	$${               the two characters ${
//
// A replaced reference is never looked at again, so a secret may hold any character. Relative paths, here and in every field,
// start at the working directory. Durations are written as Go does, with days and weeks beside: "90s", "36h", "7d", "2w".
// Sizes are a number of bytes or one with KiB, MiB or GiB.
//
// Secrets have a type of their own, [Secret], which prints as "[redacted]" wherever it goes; an error that shows a line of the
// file hides the value when its field holds a secret.
package config

//go:generate go test . -run ^TestReferenceIsFresh$ -update
