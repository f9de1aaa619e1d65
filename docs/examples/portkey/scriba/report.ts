// @ts-nocheck
// Reports each request to Scriba's audit log before it goes to a provider. Copy this folder to plugins/scriba of
// Portkey's gateway. How to turn it on, and what can be lost: docs/beside-litellm.md.

const ATTEMPTS = 3;
const TIMEOUT_MS = 3000;
const OPERATIONS = {
  chatComplete: 'chat',
  embed: 'embeddings',
  createModelResponse: 'responses',
  messages: 'messages',
};

class Refused extends Error {}

function entryOf(context, policyName) {
  const id = crypto.randomUUID();
  const entry = {
    id,
    requestId: id,
    timestamp: new Date().toISOString(),
    model: context.request?.json?.model,
    provider: context.provider,
    policyId: 'gpol_portkey',
    policyName,
    allowed: true,
    enforcement: 'hard_block',
    operation: OPERATIONS[context.requestType],
    user: context.metadata?._user,
  };
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined && value !== null));
}

async function send(url, apiKey, entry) {
  const headers = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/json',
    'idempotency-key': entry.id, // so that it can be sent again when an answer was lost
  };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(entry), signal });
  const words = await answer.text();
  if (answer.ok) return JSON.parse(words);
  const Kind = answer.status < 500 && answer.status !== 429 ? Refused : Error;
  throw new Kind(`${answer.status} ${words.slice(0, 500)}`);
}

async function report(url, apiKey, entry) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send(url, apiKey, entry);
    } catch (error) {
      if (error instanceof Refused || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));
    }
  }
}

export const handler = async (context, parameters, eventType) => {
  if (eventType !== 'beforeRequestHook') return { error: null, verdict: true, data: null };
  try {
    const { url, apiKey } = parameters.credentials;
    const address = `${url.replace(/\/+$/, '')}/governance/audit-logs`;
    const written = await report(address, apiKey, entryOf(context, parameters.policyName ?? 'Portkey'));
    return { error: null, verdict: true, data: { auditId: written.id, receipt: written.receipt } };
  } catch (error) {
    // not as `error`: Portkey takes a check with an error for one that was passed
    const explanation = `Scriba has no entry of this request: ${error.message}`;
    return { error: null, verdict: false, data: { explanation } };
  }
};
