// A tool loop by the official TypeScript SDK: it asks, answers the calls with what it was given, until there are none.
//
// node tool_loop.mjs NODE_MODULES < {"base_url", "token", "request", "results", "streamed"}
// prints the messages, in the order they came, as JSON.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The package is installed outside the repository's sources, where an import by name does not look.
const sdk = join(process.argv[2], '@anthropic-ai', 'sdk', 'index.mjs');
const { default: Anthropic } = await import(pathToFileURL(sdk));
const { base_url, token, request, results, streamed } = JSON.parse(readFileSync(0, 'utf8'));

const client = new Anthropic({ baseURL: base_url, apiKey: token, maxRetries: 0 });
const messages = [...request.messages];
const answers = [];
for (;;) {
  const asked = { ...request, messages };
  const answer = streamed ? await client.messages.stream(asked).finalMessage() : await client.messages.create(asked);
  answers.push(answer);
  const calls = answer.content.filter((block) => block.type === 'tool_use');
  if (answer.stop_reason !== 'tool_use' || calls.length === 0) {
    break;
  }
  messages.push({ role: 'assistant', content: answer.content });
  messages.push({
    role: 'user',
    content: calls.map((call) => ({ type: 'tool_result', tool_use_id: call.id, content: results[call.name] })),
  });
}
process.stdout.write(JSON.stringify(answers));
