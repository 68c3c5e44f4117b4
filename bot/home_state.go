package bot

import (
	"encoding/json"
	"time"

	"hitl"
)

// homeRows is how many reviews the home tab lists on a page.
const homeRows = 20

// homeState is what somebody has chosen in the home tab. It lives in the view alone: nothing in it is believed.
type homeState struct {
	Queue string          `json:"queue,omitempty"`
	Label string          `json:"label,omitempty"` // labelKey; empty: all
	Age   string          `json:"age,omitempty"`   // name of one of ages; empty: any
	Order hitl.WorkOrder  `json:"order,omitempty"` // empty: the most urgent first
	Page  int             `json:"page,omitempty"`
	Rows  []string        `json:"rows,omitempty"` // ids of the reviews on the page
	Picks map[string]bool `json:"-"`              // ids of those that are chosen; Slack keeps them
	said  words           // to say once, above the rest; nil: nothing
}

// ages are how long a review may have to wait to be listed.
var ages = []struct {
	name string
	span time.Duration
}{{"1h", time.Hour}, {"1d", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}}

func ageOf(name string) time.Duration {
	for _, a := range ages {
		if a.name == name {
			return a.span
		}
	}
	return 0
}

func (s homeState) String() string {
	b, _ := json.Marshal(s) // strings and numbers can always be written
	return string(b)
}

// parseHomeState reads what String wrote; anything else is the state of a home tab that was never open.
func parseHomeState(text string) homeState {
	var s homeState
	if json.Unmarshal([]byte(text), &s) != nil || len(s.Rows) > homeRows {
		return homeState{}
	}
	if s.Order != hitl.NewestFirst {
		s.Order = ""
	}
	if ageOf(s.Age) == 0 {
		s.Age = ""
	}
	return s
}

// homeStateOf reads what a home tab shows and what is chosen in it.
func homeStateOf(v interactive) homeState {
	s := parseHomeState(v.PrivateMetadata)
	s.Picks = map[string]bool{}
	for _, id := range s.Rows {
		if f := v.State.Values[rowBlock(id)][actionPick]; len(f.SelectedOptions) > 0 {
			s.Picks[id] = true
		}
	}
	return s
}

// act changes the state as an action in the home tab asks; false means that the list must not move.
func (s *homeState) act(a action) (reload bool) {
	choice := a.SelectedOption.Value
	if choice == optionAll {
		choice = ""
	}
	switch a.ActionID {
	case actionHomeQueue:
		*s = homeState{Queue: choice, Age: s.Age, Order: s.Order}
	case actionHomeLabel:
		s.Label, s.Page = choice, 0
	case actionHomeAge:
		s.Age, s.Page = choice, 0
	case actionHomeOrder:
		s.Order, s.Page = hitl.WorkOrder(choice), 0
	case actionHomeBack:
		s.Page--
	case actionHomeOn:
		s.Page++
	case actionPick:
		return false
	}
	return true
}
