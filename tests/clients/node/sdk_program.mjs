// The official TypeScript SDK, driven by commands: the same lines of JSON as tests/clients/python_sdk/commands.py.
//
// node sdk_program.mjs NODE_MODULES

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// The packages are installed outside the repository's sources, where an import by name does not look.
const sdk = join(process.argv[2], '@anthropic-ai', 'sdk');
const { default: Anthropic, APIError } = await import(pathToFileURL(join(sdk, 'index.mjs')));
const { VERSION } = await import(pathToFileURL(join(sdk, 'version.mjs')));

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

async function notedFetch(url, init) {
  const headers = new Headers(init.headers);
  say({
    note: 'request',
    query: new URL(url).search.slice(1),
    sha256: createHash('sha256').update(init.body ?? '').digest('hex'),
    version: headers.get('anthropic-version'),
    credentials: ['x-api-key', 'authorization'].filter((name) => headers.has(name)),
  });
  const response = await fetch(url, init);
  say({ note: 'response', status: response.status, request_id: response.headers.get('request-id') });
  return response;
}

function clientOf({ base_url, token, options }) {
  const credentials = options.credential === 'auth_token' ? { apiKey: null, authToken: token } : { apiKey: token };
  const retries = 'max_retries' in options ? { maxRetries: options.max_retries } : {};
  return new Anthropic({ baseURL: base_url, fetch: notedFetch, ...credentials, ...retries });
}

const withNextTurn = ({ request, options }, answer) => ({
  ...request,
  messages: [...request.messages, { role: 'assistant', content: answer.content }, options.next_turn],
});

async function streamed(client, request, result) {
  const stream = client.messages.stream(request);
  stream.on('inputJson', (partialJson) => (result.partial_json ??= []).push(partialJson));
  stream.on('thinking', (thinking) => (result.thinking ??= []).push(thinking));
  return await stream.finalMessage();
}

const operations = {
  async create(command, result) {
    const message = await clientOf(command).messages.create(command.request);
    Object.assign(result, { message, request_id: message._request_id });
  },

  async events(command, result) {
    result.events = [];
    const stream = await clientOf(command).messages.create({ stream: true, ...command.request });
    for await (const event of stream) {
      // A copy: the accumulator is at liberty to change what it was given.
      result.events.push(structuredClone(event));
    }
  },

  async helper(command, result) {
    result.message = await streamed(clientOf(command), command.request, result);
  },

  async text_stream(command, result) {
    result.texts = [];
    const stream = clientOf(command).messages.stream(command.request);
    stream.on('text', (text) => result.texts.push(text));
    result.message = await stream.finalMessage();
  },

  async two_turns(command, result) {
    const client = clientOf(command);
    result.message = await client.messages.create(command.request);
    result.second = await client.messages.create(withNextTurn(command, result.message));
  },

  async two_turns_streamed(command, result) {
    const client = clientOf(command);
    result.message = await streamed(client, command.request, result);
    result.second = await streamed(client, withNextTurn(command, result.message), result);
  },

  async beta_create(command, result) {
    result.message = await clientOf(command).beta.messages.create(command.request);
  },

  async count_tokens(command, result) {
    result.input_tokens = (await clientOf(command).messages.countTokens(command.request)).input_tokens;
  },

  async beta_count_tokens(command, result) {
    result.input_tokens = (await clientOf(command).beta.messages.countTokens(command.request)).input_tokens;
  },

  async models(command, result) {
    const client = clientOf(command);
    result.ids = [];
    for await (const model of client.models.list({ limit: command.options.limit })) {
      result.ids.push(model.id);
    }
    result.first = (await client.models.retrieve(result.ids[0])).id;
    await client.models.retrieve('claude-nowhere');
  },

  async concurrent(command, result) {
    const client = clientOf(command);
    const streams = Array.from({ length: command.options.count }, () => streamed(client, command.request, result));
    result.messages = await Promise.all(streams);
  },

  async leave(command, result) {
    result.texts = [];
    const stream = await clientOf(command).messages.create({ stream: true, ...command.request });
    for await (const event of stream) {
      if (event.type === 'content_block_delta') {
        result.texts.push(event.delta.text);
      }
      if (result.texts.length === command.options.after_texts) {
        break; // which aborts the request
      }
    }
  },
};

const described = (error) => ({
  class: error.constructor.name,
  status: error.status ?? null,
  body: error.error ?? null,
});

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.operation === 'list') {
    say({ result: { operations: Object.keys(operations).sort(), version: VERSION } });
    continue;
  }
  const result = {};
  try {
    await operations[command.operation](command, result);
  } catch (error) {
    if (error instanceof APIError) {
      result.error = described(error);
    } else {
      result.defect = error.stack;
    }
  }
  say({ result });
}
