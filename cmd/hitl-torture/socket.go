package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"hitl/bot/slacksim"
)

// socketFaults are what goes wrong with Socket Mode, or what Slack does that may surprise.
func socketFaults() []fault {
	list := []fault{{"socket_crowd", "socket crowd", crowd, 2 * time.Second, 5 * time.Second}}
	for _, f := range []slacksim.SocketFault{
		slacksim.SocketCut, slacksim.SocketFreeze, slacksim.SocketWarning, slacksim.SocketRefresh, slacksim.SocketCutEnvelope, slacksim.SocketDropAck,
		slacksim.SocketRepeat, slacksim.SocketGarbage, slacksim.SocketBadPayload, slacksim.SocketUnknownType,
	} {
		list = append(list, fault{"socket_" + string(f), "socket " + string(f), socketFault(f), 0, 0})
	}
	return list
}

func socketFault(f slacksim.SocketFault) beginFault {
	return func(ctx context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
		if _, err := w.slack.sim.FailSocket(ctx, f); err != nil {
			return nil, errors.Join(errNotNow, err) // there is no connection
		}
		return nothing, nil
	}
}

// maxSockets is how many connections Slack lets an app have.
const maxSockets = 10

// crowd is another process of the app's, which takes all connections that are free, answers nothing on them, and keeps the replicas from getting new
// ones. What Slack sends it meanwhile is not heard by anybody else.
func crowd(ctx context.Context, w *world, _ *rand.Rand) (func(context.Context) error, error) {
	var all []*websocket.Conn
	var reading sync.WaitGroup
	for range maxSockets {
		c, err := w.slack.connect(ctx)
		if err != nil {
			break // the method fails now, or there are as many as there may be
		}
		all = append(all, c)
		reading.Go(func() {
			for {
				if _, _, err := c.ReadMessage(); err != nil {
					return
				}
			}
		})
	}
	mend := func(context.Context) error {
		for _, c := range all {
			_ = c.Close()
		}
		reading.Wait()
		return nil
	}
	if len(all) == 0 {
		return nil, errNotNow
	}
	return mend, nil
}

// connect opens a connection of Socket Mode, around the proxy.
func (w *workspace) connect(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.addr+"/api/apps.connections.open", http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.sim.AppToken())
	res, err := newClient(3 * time.Second).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct{ URL string }
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err == nil && answer.URL == "" {
		err = fmt.Errorf("no connection: %s", body)
	}
	if err != nil {
		return nil, err
	}
	c, res, err := websocket.DefaultDialer.DialContext(ctx, answer.URL, nil)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	return c, nil
}
