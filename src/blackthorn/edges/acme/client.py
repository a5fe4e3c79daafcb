"""One certificate from an ACME authority (RFC 8555): account, order, HTTP-01 challenges, chain."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import josepy.errors
import requests
from acme import challenges, client, errors, messages
from acme.crypto_util import make_csr
from josepy.jwa import ES256
from josepy.jwk import JWK

from blackthorn.crypto.secret import Secret
from blackthorn.edges.acme import limits
from blackthorn.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Authority:
    """Where an authority is, and how it is known itself."""

    directory: str
    """https:// address of its directory (RFC 8555, 7.1.1)."""
    roots: str
    """PEM file of the authorities of its own HTTPS; empty: the public ones."""
    contact: str
    """Mail address for its notices, or empty."""


def obtain(
    authority: Authority,
    account_key: Secret,
    key: Secret,
    names: Sequence[str],
    answers: dict[str, str],
) -> bytes:
    """Order a certificate for DNS `names` and the PEM `key`; returns its PEM chain. Blocks.

    `answers` must be served by `challenge_app` meanwhile; it is empty again at the end. The account
    of `account_key`, an ECDSA P-256 key, is made when the authority has none: its terms of service
    are agreed to. Raises UnavailableError in one line.
    """
    try:
        return _obtain(authority, account_key, key, names, answers)
    except messages.Error as error:
        raise UnavailableError(f"the authority refused: {_told(error)}") from None
    except errors.ValidationError as error:
        raise UnavailableError(_failed_challenge(error)) from None
    except errors.TimeoutError:
        text = f"the authority did not finish in {limits.ACME_ORDER_SECONDS} seconds"
        raise UnavailableError(text) from None
    except requests.exceptions.SSLError:
        text = "its own HTTPS certificate is not trusted here: see tls.acme_roots"
        raise UnavailableError(f"{authority.directory}: {text}") from None
    except requests.exceptions.RequestException as error:
        reason = type(error).__name__
        raise UnavailableError(f"{authority.directory} cannot be reached: {reason}") from None
    except (errors.Error, josepy.errors.Error, KeyError, ValueError) as error:
        text = f"{authority.directory} does not answer as an ACME server ({type(error).__name__})"
        raise UnavailableError(text) from None
    finally:
        answers.clear()


def _obtain(
    authority: Authority,
    account_key: Secret,
    key: Secret,
    names: Sequence[str],
    answers: dict[str, str],
) -> bytes:
    jwk = JWK.load(account_key.expose())
    net = client.ClientNetwork(
        jwk, alg=ES256, user_agent="blackthorn", timeout=limits.ACME_REQUEST_SECONDS
    )
    if authority.roots:
        net.verify_ssl = authority.roots  # type: ignore[assignment]  # requests takes a path too
    net.session.trust_env = False
    peer = client.ClientV2(client.ClientV2.get_directory(authority.directory, net), net)
    _log_in(peer, authority.contact)
    order = peer.new_order(make_csr(key.expose(), list(names)))
    for authorization in order.authorizations:
        if authorization.body.status == messages.STATUS_VALID:
            continue
        challenge = _http_challenge(authorization)
        response, validation = challenge.response_and_validation(jwk)
        answers[challenge.chall.encode("token")] = validation
        peer.answer_challenge(challenge, response)
    deadline = datetime.datetime.now() + datetime.timedelta(  # noqa: DTZ005 -- as the library's
        seconds=limits.ACME_ORDER_SECONDS
    )
    finished = peer.poll_and_finalize(order, deadline)
    chain = finished.fullchain_pem.encode()
    if len(chain) > limits.MAX_ACME_CHAIN_BYTES:
        raise UnavailableError("the authority's chain is too large")
    return chain


def _log_in(peer: client.ClientV2, contact: str) -> None:
    """Make the account of the client's key, unless there is one."""
    new = messages.NewRegistration.from_data(email=contact or None, terms_of_service_agreed=True)
    try:
        peer.new_account(new)
    except errors.ConflictError as error:
        body = messages.Registration()
        peer.net.account = messages.RegistrationResource(body=body, uri=error.location)


def _http_challenge(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    for each in authorization.body.challenges:
        if isinstance(each.chall, challenges.HTTP01):
            return each
    name = authorization.body.identifier.value
    raise UnavailableError(f"the authority offers no HTTP-01 challenge for {name}")


def _told(error: messages.Error) -> str:
    detail = " ".join(str(error.detail or "").split())[: limits.MAX_ACME_PROBLEM_CHARACTERS]
    return f"{error.code or error.typ}: {detail}"


def _failed_challenge(error: errors.ValidationError) -> str:
    for authorization in error.failed_authzrs:
        for each in authorization.body.challenges:
            if each.error is not None:
                name = authorization.body.identifier.value
                return f"the authority could not check {name} over HTTP: {_told(each.error)}"
    return "the authority could not check the names over HTTP"
