// The certified OpenID Provider (npm oidc-provider) as a part of the tests, on loopback. The test that starts it speaks
// to it in lines of JSON. First come the settings: the registered clients, the accounts and how long tokens last. Each
// further line replaces the accounts. Each is answered by a line {"issuer": …} on standard output once it is in force.
// What happens is logged to standard error. It ends with its standard input, so with the test, however that ends.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

console.info = console.log = console.warn = console.error; // the provider's own notices: standard output is for answers
const { Provider, errors } = await import('oidc-provider');

let accounts = {};
const account = (id) => {
  if (!Object.hasOwn(accounts, id)) return undefined;
  return { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) };
};

const rsa = ['rsa', { modulusLength: 2048 }];
const keyTypes = { RS256: rsa, PS256: rsa, ES256: ['ec', { namedCurve: 'P-256' }], EdDSA: ['ed25519'] };
const signing = Object.keys(keyTypes);
const key = (alg) => {
  const { privateKey } = generateKeyPairSync(...keyTypes[alg]);
  return { ...privateKey.export({ format: 'jwk' }), kid: alg.toLowerCase(), use: 'sig', alg };
};

const start = (issuer, { clients, resource, ttl }) => {
  const provider = new Provider(issuer, {
    clients,
    extraClientMetadata: { properties: ['opaque_tokens'] },
    jwks: { keys: signing.map(key) },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    findAccount: (ctx, id) => account(id),
    scopes: ['openid', 'offline_access'],
    acrValues: ['1'],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username', 'nickname', 'given_name', 'picture', 'locale', 'updated_at'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
      permissions: ['permissions'],
    },
    extraTokenClaims: (ctx, token) => ({ permissions: accounts[token.accountId]?.permissions }),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    enabledJWA: {
      idTokenSigningAlgValues: signing,
      userinfoSigningAlgValues: signing,
      introspectionSigningAlgValues: signing,
      clientAuthSigningAlgValues: signing,
      dPoPSigningAlgValues: signing,
    },
    pkce: { required: () => true },
    rotateRefreshToken: true, // the stricter way: a token that is used twice ends the whole grant
    ttl: {
      AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, Grant: 86400, IdToken: 300, Interaction: 600,
      RefreshToken: 86400, Session: 86400, ...ttl,
    },
    // Without the dispatcher that refuses addresses of this machine: the relying party's back-channel is one.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
    interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
    renderError: (ctx, out) => {
      ctx.body = page('Error', `<p role="alert">${text(`${out.error}: ${out.error_description ?? ''}`)}</p>`);
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32) },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientAuthMethod !== 'none' },
      pushedAuthorizationRequests: { enabled: true },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, audience, client) => {
          if (audience !== resource) throw new errors.InvalidTarget();
          return {
            audience,
            scope: 'contents:read contents:write',
            accessTokenFormat: client.opaque_tokens ? 'opaque' : 'jwt',
            jwt: { sign: { alg: client.idTokenSignedResponseAlg } },
          };
        },
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = page('Sign out', `${form}<button form="op.logoutForm" name="logout" value="yes" autofocus>Sign out</button>`);
        },
        postLogoutSuccessSource: (ctx) => { ctx.body = page('Signed out', ''); },
      },
    },
  });
  for (const name of [
    'authorization', 'backchannel', 'end_session', 'grant', 'introspection', 'pushed_authorization_request', 'revocation', 'userinfo',
  ]) {
    provider.on(`${name}.error`, (ctx, err) => {
      console.error(`${name}: ${err.message}: ${err.error_description ?? ''} ${err.error_detail ?? ''}`);
    });
  }
  provider.on('server_error', (ctx, err) => console.error(err));
  provider.on('backchannel.success', (ctx, client) => console.error(`backchannel: ${client.clientId} was told`));
  provider.use(async (ctx, next) => {
    const interaction = ctx.path.match(/^\/interaction\/([\w-]+)$/);
    await (interaction ? interact(provider, ctx) : next());
    console.error(ctx.method, ctx.path, ctx.status);
  });
  return provider;
};

// interact shows the page on which somebody logs in or consents, and takes what it sends.
const interact = async (provider, ctx) => {
  const { prompt, params, grantId, session } = await provider.interactionDetails(ctx.req, ctx.res);
  const sent = ctx.method === 'POST' ? new URLSearchParams(await body(ctx.req)) : new URLSearchParams();
  if (prompt.name === 'login') {
    const accountId = sent.get('username');
    if (accountId && account(accountId) && sent.get('password') === `${accountId}'s password`) {
      return finish(provider, ctx, { login: { accountId, acr: '1', amr: ['pwd'] } });
    }
    ctx.body = page('Sign in', `${accountId ? '<p role="alert">Not right.</p>' : ''}
      <form method="post">
        <p><label>User name <input name="username" value="${text(params.login_hint ?? '')}" autofocus></label>
        <p><label>Password <input name="password" type="password"></label>
        <p><button>Sign in</button>
      </form>`);
  } else if (sent.has('consent')) {
    const grant = grantId
      ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope: scope, missingOIDCClaims: claims, missingResourceScopes: resources } = prompt.details;
    if (scope) grant.addOIDCScope(scope.join(' '));
    if (claims) grant.addOIDCClaims(claims);
    for (const [resource, scopes] of Object.entries(resources ?? {})) grant.addResourceScope(resource, scopes.join(' '));
    return finish(provider, ctx, { consent: { grantId: await grant.save() } });
  } else if (sent.has('deny')) {
    return finish(provider, ctx, { error: 'access_denied', error_description: 'The user said no.' });
  } else {
    ctx.body = page('Consent', `<p>${text(params.client_id)} asks for ${text(params.scope ?? '')}</p>
      <form method="post"><button name="consent" value="yes">Allow</button></form>
      <form method="post"><button name="deny" value="yes">Deny</button></form>`);
  }
};

const finish = async (provider, ctx, result) => {
  ctx.status = 303;
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: true }));
};

const body = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
};

const text = (s) => s.replace(/[&<>"']/g, (c) => `&#${c.codePointAt(0)};`);
const page = (title, content) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>
  <link rel="icon" href="data:,"><h1>${title}</h1>${content}`;

// The port is known before the provider is: its own name, the issuer, has it.
const server = createServer();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  for await (const line of createInterface({ input: process.stdin })) {
    const settings = JSON.parse(line);
    accounts = settings.accounts;
    if (settings.clients) server.on('request', start(issuer, settings).callback());
    process.stdout.write(`${JSON.stringify({ issuer })}\n`);
  }
  process.exit();
});
