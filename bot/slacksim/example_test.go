package slacksim_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/slack-go/slack"

	"hitl/bot/slacksim"
)

// An app posts a message with a button; Ana presses it; the app says something that only she sees.
func ExampleNew() {
	ctx := context.Background()
	sim, err := slacksim.New(slacksim.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(sim)
	defer server.Close()
	defer sim.Close()
	client := slack.New(sim.Token(), slack.OptionAPIURL(server.URL+"/api/"))

	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		click, err := slack.InteractionCallbackParse(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = client.PostEphemeralContext(r.Context(), click.Channel.ID, click.User.ID, slack.MsgOptionText("Recorded.", false))
		fmt.Println("the app answered the click:", err == nil)
	}))
	defer app.Close()
	sim.SetEndpoints(slacksim.Endpoints{Interactivity: app.URL})

	button := slack.NewButtonBlockElement("accept", "review-1", slack.NewTextBlockObject("plain_text", "Accept", false, false))
	_, ts, err := client.PostMessageContext(ctx, "C0REVIEW", slack.MsgOptionText("A card", false), slack.MsgOptionBlocks(slack.NewActionBlock("decide", button)))
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := sim.Click(ctx, slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "accept"})
	fmt.Println("Ana saw status", out.Status, err)
	fmt.Println("only Ana sees:", sim.Ephemerals("U0ANA")[0].Text)

	_, _ = client.GetUserInfoContext(ctx, "U0NOBODY") // an error that correct code may meet
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/chat.scheduleMessage", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	fmt.Println("refused:", sim.Refused()[0].Problem)
	// Output:
	// the app answered the click: true
	// Ana saw status 200 <nil>
	// only Ana sees: Recorded.
	// refused: unknown_method: method not simulated: chat.scheduleMessage [json-pointer:]
}
