// Package slacksim is a strict local Slack workspace: the Web API that an app calls, the events that Slack sends to an
// app, and a page for people. Tests use it in place of Slack; so does the demo.
//
//	sim, err := slacksim.New(slacksim.Config{Rates: slacksim.RatesOff})
//	server := httptest.NewServer(sim)
//	client := slack.New(sim.Token(), slack.OptionAPIURL(server.URL+"/api/"))
//	sim.SetEndpoints(slacksim.Endpoints{Interactivity: app.URL + "/slack/interactivity", Commands: app.URL + "/slack/commands"})
//
//	ts := sim.Messages("C0REVIEW")[0].TS
//	out, err := sim.Click(ctx, slacksim.Click{User: "U0ANA", Channel: "C0REVIEW", TS: ts, ActionID: "accept"})
//	// out says what Ana saw: the app's status and answer, or "operation_timeout".
//
// Call [Sim.Close] before the server's Close: it ends the live updates that would otherwise hold the server up.
//
// # Strictness
//
// The simulator refuses more than Slack does and accepts nothing that Slack refuses, as far as Slack's limits are
// known: blocks and views are validated field by field with Slack's error codes and JSON pointers, rates are counted
// per method and per channel, calls need the scopes that Slack's reference names, trigger_ids expire, ephemeral
// messages cannot be updated. Unknown methods and arguments, which Slack partly ignores, are errors. Whatever correct
// code never does is kept: end a test with
//
//	if r := sim.Refused(); len(r) > 0 { t.Errorf("%+v", r) }
//
// Things that Slack has and the simulator has not say so: error not_simulated, or "not simulated" in the message.
// Among them are files, legacy attachments, group direct messages, other multi-selects than the static one, and date pickers.
//
// # Doing what people do
//
// [Sim.Click], [Sim.Suggest], [Sim.SetValue], [Sim.SubmitView], [Sim.CloseView], [Sim.Command], [Sim.Shortcut], [Sim.OpenHome] and [Sim.OpenMessages]
// act as a user. They call the app and return after it has answered, with what the user saw. [Sim.Post], [Sim.EditMessage] and
// [Sim.DeleteMessage] return at once; the app hears of messages by events. Errors mean that no user could have done that, for instance
// because the button is gone. [Sim.Messages], [Sim.Ephemerals],
// [Sim.Views] and [Sim.Home] read what is on the screens; [Sim.Wait] waits until a condition holds, without sleeping.
// [Sim.Fail] makes calls fail, be late, or lose their answers. [Sim.Calls], [Sim.Deliveries] and [Sim.Responses] are
// the record.
//
// [Sim.Save] and [Sim.Load] keep the messages over a restart.
//
// Time comes from [Config.Now], so that a test can move through rate limits and expiries. Some things take real time:
// how long the app may take to answer, a fault's delay, and the life of a Socket Mode connection.
//
// # Events
//
// The app gets the bot events in [Config.Events], if it has their scopes: app_home_opened, and messages (new, changed, deleted; people's and
// its own) in the public and private channels and the direct messages that the bot is in. They go to [Endpoints].Events, signed, or over
// Socket Mode; one after the other, in the order in which things happened. What is not answered with a 2xx in 3 s comes again three times
// ([Config.EventRetries]), unless the answer has the header X-Slack-No-Retry: 1. [Sim.Settle] waits until all is over, [Sim.Event] sends
// any other event, and [Sim.SetEventsURL] verifies a URL as Slack does. People's texts reach the app escaped. Not simulated: redirects,
// rich_text blocks of people's messages, message_replied, tombstones of parents that were deleted, and that Slack turns off the events of an
// app that fails too often.
//
// # Shortcuts
//
// [Config.Shortcuts] lists message shortcuts and global shortcuts; [Sim.Shortcut] is a user choosing one. The app gets message_action or
// shortcut. Slack offers no shortcuts on ephemeral messages, and none to an app without the scope commands.
//
// # Tokens and organisations
//
// With [Config.TokenLifetime] the bot token expires: calls with it are answered token_expired, and oauth.v2.access with
// grant_type=refresh_token gives a new one and the next refresh token. An exchanged refresh token is invalid_refresh_token once a token of
// the new pair was used, and a minute later at the latest; how long Slack waits is not documented. Reset changes no tokens, Save does not
// keep them. The first installation (a code) is not simulated.
//
// With [Config.Enterprise] the workspace is one of an Enterprise Grid organisation; [DemoEnterprise] has people with W ids. What Slack says
// of an organisation's other workspaces is not simulated.
//
// # Socket Mode
//
// With [Config.SocketMode] everything goes to the app over the WebSocket connections that it opened with apps.connections.open and its
// app-level token: up to ten, each envelope over one of them, in turn. What the user saw is the same as over HTTP: an envelope that is
// not acknowledged in time is operation_timeout, none that could be sent dispatch_failed. [Sim.FailSocket] cuts and refreshes connections,
// loses acknowledgements and sends what no app expects; [Sim.SetSocketMode] turns it off, which connections learn as link_disabled.
// Acknowledgements of 20,480 bytes or more are dropped, as Slack does, and noted in [Sim.Refused]. An acknowledgement counts on whichever
// connection it comes; what Slack does when it is not the envelope's own is not documented. Only events are sent again by themselves,
// and the server sends no pings but answers them.
//
// # The control API
//
// Everything above is also served as JSON under /_sim/, for scripts; GET /_sim/ prints the list of requests.
//
// # The page
//
// GET / is a page for the browser. Query parameters choose what it shows: /?user=U0ANA&channel=C0REVIEW. Names that
// browser tests may rely on:
//
//	#user-switch                     select: whose screen this is
//	#channels [data-channel=C…]      buttons that switch channels; aria-current on the open one
//	#home-tab                        button that opens the app's home tab
//	#messages                        the list; each message is [data-ts=…], ephemeral ones also [data-ephemeral]
//	button[data-action-id=…]         buttons in messages and views; [data-block-id=…] and [data-value=…] stand beside it
//	select[data-action-id=…]         static and user selects; input[data-action-id=…] texts, radio buttons, checkboxes
//	[data-action-id=…][role=combobox]  external selects; their options are [role=option][data-value=…]
//	[data-multi=…]                   buttons that open a multi-select; its checkboxes are input[data-action-id=…][value=…]
//	#composer, #send                 the box for messages and slash commands
//	#shortcuts-button                opens the global shortcuts, [role=menuitem][data-callback-id=…]
//	.message-menu .more              opens a message's menu: [data-do=reply], [data-do=edit], [data-do=delete], [data-callback-id=…]
//	#reply, #reply-send, #reply-cancel  the box in which one replies in a thread
//	dialog#edit                      a message being edited; #edit-box, #edit-save, #edit-cancel
//	#tab-home, #tab-messages         the app's tabs: its home tab and its direct messages
//	dialog#modal                     the open modal; #modal-submit, #modal-cancel, #modal-close; [data-error-for=BLOCK]
//	dialog#confirm                   a confirmation; #confirm-yes, #confirm-no
//	svg[data-chart]                  charts
//	#fail-toggle                     makes every call fail with 503 until pressed again
//	body[data-ready]                 set once the page shows the workspace
package slacksim
