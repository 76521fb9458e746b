"""The pages a person sees. No script, no foreign asset; every value is escaped."""

import secrets
from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse

from scaiflow_api.localgrid.scaikey.errors import NEVER_CACHED
from scaiflow_api.localgrid.scaikey.people import Principal

_STYLE = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f4f5f7; color: #1b1f24 }
main { width: min(26rem, calc(100vw - 2rem)); padding: 1.5rem; border-radius: .75rem; background: #fff;
  box-shadow: 0 1px 4px #0003 }
h1 { margin: 0 0 .25rem; font-size: 1.35rem }
p { margin: 0 0 1rem }
fieldset { margin: 0 0 1rem; padding: 0; border: 0 }
legend { padding: 0; margin-bottom: .5rem; font-weight: 600 }
label { display: grid; grid-template-columns: auto 1fr; gap: 0 .75rem; align-items: center; padding: .5rem .75rem;
  margin-bottom: .375rem; border: 1px solid #8b949e; border-radius: .5rem; cursor: pointer }
label:has(:checked) { border-color: #0b57d0; background: #0b57d014 }
label small { grid-column: 2; color: #57606a }
button { font: inherit; padding: .5rem 1.25rem; border-radius: .5rem; border: 1px solid #0b57d0; cursor: pointer }
button[value=allow] { background: #0b57d0; color: #fff }
button[value=cancel] { background: none; color: inherit; border-color: #8b949e }
:focus-visible { outline: 3px solid #ffab00; outline-offset: 2px }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3 } main { background: #161b22 } label small { color: #9da7b1 }
}
"""


def choice_page(client_id: str, redirect_uri: str, people: Sequence[Principal], chosen: str) -> HTMLResponse:
    """Return the page that asks who signs in. The form posts to the address it was served from."""
    options = "".join(_option(person, checked=person.id == chosen) for person in people)
    target = urlsplit(redirect_uri)
    return _page(
        "Sign in",
        f"""<h1>Sign in</h1>
<p>This is the local ScaiKey. <strong>{escape(client_id)}</strong> asks who you are; nobody here has a password.</p>
<form method="post">
<fieldset><legend>Demo person</legend>{options}</fieldset>
<button type="submit" name="decision" value="allow">Continue</button>
<button type="submit" name="decision" value="cancel" formnovalidate>Cancel</button>
</form>""",
        form_targets=f"'self' {target.scheme}://{target.netloc}",
    )


def message_page(title: str, text: str, *, status: int = 200) -> HTMLResponse:
    """Return a page that only says something."""
    return _page(title, f"<h1>{escape(title)}</h1>\n<p>{escape(text)}</p>", status=status)


def _option(person: Principal, *, checked: bool) -> str:
    about = f"{person.email} · {person.tenant.name} · {', '.join(person.roles)}"
    return (
        f'<label><input type="radio" name="person" value="{escape(person.id)}" required'
        f"{' checked' if checked else ''}><span>{escape(person.name)}</span><small>{escape(about)}</small></label>"
    )


def _page(title: str, body: str, *, status: int = 200, form_targets: str = "'none'") -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    # Browsers apply `form-action` to the redirect after a form as well, so the client's origin must be named.
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_targets};"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · local ScaiKey</title>
<style nonce="{nonce}">{_STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
    headers = {
        **NEVER_CACHED,
        "Content-Security-Policy": policy,
        # With `no-referrer` browsers would send the form with `Origin: null`, and the origin is checked.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return HTMLResponse(html, status_code=status, headers=headers)
