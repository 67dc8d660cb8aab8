// A tool loop by the AI SDK, once with whole answers and once with streamed ones.
//
// prints what each loop came to as JSON: {"calls": what the tool was called with, "text": of its last answer,
// "output_tokens": of all its answers}.

import { createAnthropic } from '@ai-sdk/anthropic';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const channeling = createAnthropic({ baseURL: `${process.env.URL}/v1`, apiKey: process.env.TOKEN });

for (const ask of [generateText, streamText]) {
  const calls = [];
  const result = await ask({
    model: channeling(process.env.MODEL),
    maxOutputTokens: 4000,
    maxRetries: 0,
    providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } },
    tools: {
      weather: tool({
        description: 'Say the weather of a city.',
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => {
          calls.push(city);
          return '12 °C, 漢字';
        },
      }),
    },
    stopWhen: stepCountIs(5),
    prompt: 'What is the weather in København?',
  });
  const text = await result.text;
  const { outputTokens } = await result.totalUsage;
  console.log(JSON.stringify({ calls, text, output_tokens: outputTokens }));
}
