// A small app that takes orders, written on Slack's own framework as its documentation says, by somebody who has never
// seen the simulator: it knows only the address of the Web API. bolt_test.go in ../.. is its users.
//
// It says "listening <url>" when it is ready, or "connected" in Socket Mode, and ends when its standard input does. The exit code is 1 if anything went
// wrong in between.
'use strict';

const { App, LogLevel } = require('@slack/bolt');

// How Slack reaches the app: with an app-level token over Socket Mode, otherwise by signed requests. Everything below stays.
const appToken = process.env.SLACK_APP_TOKEN;
const delivery = appToken ? { socketMode: true, appToken } : { signingSecret: process.env.SLACK_SIGNING_SECRET };

const app = new App({
  ...delivery,
  token: process.env.SLACK_BOT_TOKEN,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
  logLevel: LogLevel.WARN,
});

app.error(async (error) => {
  console.error(error);
  process.exitCode = 1;
});

const plain = (text) => ({ type: 'plain_text', text });
const mrkdwn = (text) => ({ type: 'mrkdwn', text });

// An order is one message; its metadata is what the app knows of it.
const placed = (what) => ({ event_type: 'order_placed', event_payload: { what, pieces: 2 } });

const openOrder = (what) => ({
  text: `Order: ${what}`,
  blocks: [
    { type: 'section', text: mrkdwn(`*Order:* ${what}`) },
    {
      type: 'actions',
      block_id: 'order',
      elements: [
        { type: 'button', action_id: 'serve', text: plain('Serve'), value: what, style: 'primary' },
        { type: 'button', action_id: 'change', text: plain('Change…'), value: what },
      ],
    },
  ],
});

const servedOrder = (what, by) => ({
  text: `Served: ${what}`,
  blocks: [
    { type: 'section', text: mrkdwn(`*Served:* ${what}`) },
    { type: 'context', elements: [mrkdwn(by)] },
  ],
});

const changeView = (order, multiline) => ({
  type: 'modal',
  callback_id: 'change_order',
  notify_on_close: true,
  private_metadata: JSON.stringify(order),
  title: plain('Change the order'),
  submit: plain('Change'),
  close: plain('Leave it'),
  blocks: [
    {
      type: 'input',
      block_id: 'what',
      label: plain('What'),
      element: { type: 'plain_text_input', action_id: 'what', initial_value: order.what, multiline, max_length: 100 },
    },
    {
      type: 'input',
      block_id: 'milk',
      optional: true,
      label: plain('Milk'),
      element: { type: 'external_select', action_id: 'milk', min_query_length: 1 },
    },
    {
      type: 'section',
      block_id: 'room',
      text: mrkdwn('A long order?'),
      accessory: { type: 'button', action_id: 'room', text: plain('More room') },
    },
  ],
});

const sureView = (order) => ({
  type: 'modal',
  callback_id: 'sure',
  private_metadata: JSON.stringify(order),
  title: plain('Are you sure?'),
  submit: plain('Yes'),
  blocks: [{ type: 'section', text: mrkdwn(`Really ${order.what}`) }],
});

// A command: an answer at once, as text or as a message, and later ones by response_url.
app.command('/order', async ({ command, ack, respond, client }) => {
  if (command.text === '') {
    await ack({ text: 'What would you like?', blocks: [{ type: 'header', text: plain('What would you like?') }] });
    return;
  }
  if (command.text === 'list') {
    await ack();
    const { messages } = await client.conversations.history({
      channel: command.channel_id, include_all_metadata: true, limit: 20,
    });
    const orders = messages.filter((m) => m.metadata?.event_type === 'order_placed').map((m) => m.metadata.event_payload);
    await respond({
      text: orders.map((o) => `${o.pieces} x ${o.what}`).join('\n'), response_type: 'in_channel', replace_original: false,
    });
    return;
  }
  await ack(`Ordering ${command.text}.`);
  const { ts } = await client.chat.postMessage({
    channel: command.channel_id, ...openOrder(command.text), metadata: placed(command.text), unfurl_links: false, unfurl_media: false,
  });
  const { permalink } = await client.chat.getPermalink({ channel: command.channel_id, message_ts: ts });
  await respond(`Ordered: ${permalink}`);
});

// A click that edits the message.
app.action('serve', async ({ body, action, ack, respond, client }) => {
  await ack();
  const { user } = await client.users.info({ user: body.user.id });
  await client.chat.update({
    channel: body.channel.id, ts: body.message.ts, ...servedOrder(action.value, `by ${user.real_name}`),
  });
  await client.chat.postMessage({ channel: body.channel.id, thread_ts: body.message.ts, text: 'Enjoy.' });
  await respond({ text: 'Thank you.', response_type: 'ephemeral', replace_original: false });
});

// A click that opens a modal.
app.action('change', async ({ body, action, ack, client }) => {
  await ack();
  const order = { what: action.value, channel: body.channel.id, ts: body.message.ts };
  await client.views.open({ trigger_id: body.trigger_id, view: changeView(order, false) });
});

app.action('room', async ({ body, ack, client }) => {
  await ack();
  const view = changeView(JSON.parse(body.view.private_metadata), true);
  await client.views.update({ view_id: body.view.id, hash: body.view.hash, view });
});

app.options('milk', async ({ options, ack }) => {
  const all = ['Oat', 'Soy', 'Whole'].filter((name) => name.toLowerCase().startsWith(options.value.toLowerCase()));
  await ack({ options: all.map((name) => ({ text: plain(name), value: name.toLowerCase() })) });
});

app.view('change_order', async ({ view, ack, client }) => {
  const { channel, ts } = JSON.parse(view.private_metadata);
  const milk = view.state.values.milk.milk.selected_option;
  const what = view.state.values.what.what.value + (milk ? ` with ${milk.text.text} milk` : '');
  if (what.startsWith('beer')) {
    await ack({ response_action: 'errors', errors: { what: 'We have no beer.' } });
    return;
  }
  if (what.endsWith('?')) {
    await ack({ response_action: 'push', view: sureView({ what, channel, ts }) });
    return;
  }
  await ack();
  await client.chat.update({ channel, ts, ...openOrder(what), metadata: placed(what) });
});

app.view('sure', async ({ view, ack, client }) => {
  const { what, channel, ts } = JSON.parse(view.private_metadata);
  await ack({ response_action: 'clear' });
  await client.chat.update({ channel, ts, ...openOrder(what), metadata: placed(what) });
});

app.view({ callback_id: 'change_order', type: 'view_closed' }, async ({ body, view, ack, client }) => {
  await ack();
  const { channel } = JSON.parse(view.private_metadata);
  await client.chat.postEphemeral({ channel, user: body.user.id, text: 'The order stays as it is.' });
});

// The home tab, with a select in it that changes it.
const orders = { newest: 'newest first', oldest: 'oldest first' };
const homeView = (order) => ({
  type: 'home',
  blocks: [{
    type: 'section',
    block_id: 'orders',
    text: mrkdwn(`Your orders, ${orders[order]}`),
    accessory: {
      type: 'static_select',
      action_id: 'sort',
      placeholder: plain('Sort'),
      options: Object.entries(orders).map(([value, text]) => ({ text: plain(text), value })),
    },
  }],
});

app.event('app_home_opened', async ({ event, client }) => {
  if (event.tab === 'home') await client.views.publish({ user_id: event.user, view: homeView('newest') });
});

app.action('sort', async ({ body, ack, client }) => {
  await ack();
  const order = body.view.state.values.orders.sort.selected_option.value;
  await client.views.publish({ user_id: body.user.id, hash: body.view.hash, view: homeView(order) });
});

// What somebody said, ordered from the menu of the message.
app.shortcut({ callback_id: 'order_this', type: 'message_action' }, async ({ shortcut, ack, respond, client }) => {
  await ack();
  const what = shortcut.message.text;
  await client.chat.postMessage({
    channel: shortcut.channel.id, thread_ts: shortcut.message_ts, ...openOrder(what), metadata: placed(what),
  });
  await respond({ text: `Ordered for <@${shortcut.message.user}>.`, response_type: 'ephemeral' });
});

// A shortcut from anywhere.
app.shortcut({ callback_id: 'new_order', type: 'shortcut' }, async ({ shortcut, ack, client }) => {
  await ack();
  await client.views.open({ trigger_id: shortcut.trigger_id, view: sureView({ what: 'anything?' }) });
});

// What is said in a thread, and in private.
app.message(/sugar/, async ({ message, say }) => {
  await say({ text: `Sugar for <@${message.user}>.`, thread_ts: message.thread_ts ?? message.ts });
});

async function main() {
  const server = await app.start(appToken ? undefined : { host: '127.0.0.1', port: 0 });
  console.log(appToken ? 'connected' : `listening http://127.0.0.1:${server.address().port}/slack/events`);
  process.stdin.resume();
  process.stdin.on('end', () => app.stop());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
