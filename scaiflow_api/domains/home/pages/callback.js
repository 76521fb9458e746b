// Finishes the code flow: checks the state, trades the code through the API, shows who signed in.
"use strict";

const show = (title, text) => {
  document.getElementById("title").textContent = title;
  document.getElementById("text").textContent = text;
};

async function finish() {
  const query = new URLSearchParams(location.search);
  const begun = JSON.parse(sessionStorage.getItem("scaiflow_sign_in") || "null");
  sessionStorage.removeItem("scaiflow_sign_in");
  history.replaceState(null, "", location.pathname); // the code must not stay in the history
  if (query.has("error")) {
    show("Not signed in", query.get("error_description") || query.get("error"));
    return;
  }
  if (!begun || begun.state !== query.get("state") || !query.has("code")) {
    show("Not signed in", "This sign-in was not begun in this tab, or was finished already. Start again.");
    return;
  }
  const answer = await fetch("/api/v1/auth/exchange", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      code: query.get("code"),
      code_verifier: begun.verifier,
      redirect_uri: location.origin + "/auth/callback",
    }),
  });
  const tokens = await answer.json();
  if (!answer.ok) {
    show("Not signed in", tokens.detail.message);
    return;
  }
  const me = await fetch("/api/v1/me", { headers: { Authorization: "Bearer " + tokens.access_token } });
  const caller = await me.json();
  if (!me.ok) {
    show("Signed in, but", caller.detail.message);
    return;
  }
  show("Signed in", (caller.display_name || caller.sub) + " of " + caller.tenant_id + ".");
  document.getElementById("token").textContent = tokens.access_token;
  document.getElementById("token-part").hidden = false;
}

finish().catch(() => show("Not signed in", "The server does not answer. Is it still running?"));
