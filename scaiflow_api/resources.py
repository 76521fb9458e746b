"""Everything a process holds open, and the only place that wires it together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from scaiflow_api.auth.caller import AdminRole
from scaiflow_api.auth.tokens import TokenVerifier
from scaiflow_api.db.audit_trail import AuditTrail
from scaiflow_api.db.principals import Principals
from scaiflow_api.db.sealing import Sealer
from scaiflow_api.db.session import Database
from scaiflow_api.db.tenant_secrets import StoredSecrets
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.clock import Clock, SystemClock
from scaiflow_api.kit.recent_answers import RecentAnswers
from scaiflow_api.kit.secrets import TenantSecrets
from scaiflow_api.kit.slots import Slots
from scaiflow_api.kit.turns import Turns
from scaiflow_api.live import Announcements, Presence, Rate, open_announcements, open_presence, open_rate
from scaiflow_api.settings import Live, Settings, Store
from scaiflow_api.storage import BlobStore, FlowVersions, WatchedBlobs, open_blobs
from scaiflow_api.upstreams.addresses import PublicOnly
from scaiflow_api.upstreams.breaker import Breakers
from scaiflow_api.upstreams.collector import traces
from scaiflow_api.upstreams.connections import open_transport
from scaiflow_api.upstreams.scaigrid import ScaiGrid
from scaiflow_api.upstreams.scaikey import ScaiKey
from scaiflow_api.upstreams.scaikey_directory import ScaiKeyDirectory
from scaiflow_api.upstreams.scaivault import ScaiVault
from scaiflow_api.upstreams.tenant_grids import TenantGrids, TenantKeys


@dataclass(frozen=True, slots=True)
class Resources:
    """What services are built from."""

    settings: Settings
    db: Database
    audit: AuditTrail
    blobs: BlobStore
    versions: FlowVersions
    presence: Presence
    announcements: Announcements
    sign_in_rate: Rate | None
    """How often one address may sign in; None: as often as it likes."""
    principals: Principals
    scaikey: ScaiKey
    directory: ScaiKeyDirectory
    scaigrid: ScaiGrid
    tenant_keys: TenantKeys
    tenant_grids: TenantGrids
    tokens: TokenVerifier
    limits: Limits
    clock: Clock
    saves: Turns
    breakers: Breakers
    """Which upstreams are left alone at the moment."""
    lookups: RecentAnswers[bytes]
    """Lists of scopes, queues, bunkers and models, as they were answered."""
    streams: Slots
    """For streams of events, which have no end of their own."""
    ending: asyncio.Event
    """Set: the process was told to end, and so is whatever has no end of its own."""
    sync_wanted: asyncio.Event
    """Set: ScaiKey told of something that only a sync of the mirror can follow."""


@asynccontextmanager
async def open_resources(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Resources]:
    """Open everything; close it in the reverse order. Raises what a bad setting deserves."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(traces(settings.observability))
        db = Database(
            settings.database.url.get_secret_value(),
            pool_size=settings.database.pool_size,
            deadline_s=settings.database.timeout_s,
            traced=settings.observability.otlp_endpoint is not None,
        )
        stack.push_async_callback(db.close)
        audit = AuditTrail(db, clock)
        stack.push_async_callback(audit.close)
        blobs = open_store(settings.store)
        stack.push_async_callback(blobs.close)
        presence = open_live(settings.live)
        stack.push_async_callback(presence.close)
        announcements = open_announcements(_redis_url(settings.live))
        stack.push_async_callback(announcements.close)
        breakers = Breakers(
            failures=settings.scaigrid.breaker_failures, cooldown_s=settings.scaigrid.breaker_cooldown_s
        )
        to_scaikey = await stack.enter_async_context(open_transport(settings.scaigrid))
        scaikey = ScaiKey(to_scaikey, settings.scaikey, clock, breakers=breakers)
        stack.push_async_callback(scaikey.close)
        to_scaigrid = await stack.enter_async_context(open_transport(settings.scaigrid))
        scaigrid = ScaiGrid(to_scaigrid, settings.scaigrid, breakers=breakers)
        principals = Principals(db)
        for tenant_id, user_id, role in settings.bootstrap.grants:
            await principals.grant(tenant_id, user_id, AdminRole(role), source="bootstrap", now=clock.now())
        yield Resources(
            settings=settings,
            db=db,
            audit=audit,
            blobs=blobs,
            versions=FlowVersions(blobs, cache_bytes=settings.store.cache_bytes),
            presence=presence,
            announcements=announcements,
            sign_in_rate=_open_sign_in_rate(stack, settings),
            principals=principals,
            scaikey=scaikey,
            directory=ScaiKeyDirectory(to_scaikey, settings.scaikey, scaikey, breakers=breakers),
            scaigrid=scaigrid,
            tenant_keys=TenantKeys(await _open_secrets(stack, settings, db, scaikey, breakers)),
            tenant_grids=TenantGrids(
                await _open_abroad(stack, settings),
                settings.scaigrid,
                public_only=settings.is_production,
                breakers=breakers,
            ),
            tokens=TokenVerifier(
                base_url=settings.scaikey.base_url or "",
                audiences=settings.scaikey.audiences,
                keys=scaikey,
                clock=clock,
            ),
            limits=Limits(**settings.limits.model_dump()),
            clock=clock,
            saves=Turns(),
            breakers=breakers,
            lookups=RecentAnswers(
                seconds=settings.scaigrid.lookup_cache_s, max_bytes=settings.scaigrid.lookup_cache_bytes
            ),
            streams=Slots(settings.scaigrid.max_streams),
            ending=asyncio.Event(),
            sync_wanted=asyncio.Event(),
        )


async def _open_secrets(
    stack: AsyncExitStack, settings: Settings, db: Database, scaikey: ScaiKey, breakers: Breakers
) -> TenantSecrets | None:
    """Return what keeps secrets of tenants: ScaiVault, else our database, else nothing does."""
    if settings.secrets.vault_url:
        http = await stack.enter_async_context(open_transport(settings.scaigrid))
        return ScaiVault(http, settings.secrets.vault_url, scaikey, breakers=breakers)
    if keys := settings.secrets.keys:
        return StoredSecrets(db, Sealer(keys))
    return None


def _open_sign_in_rate(stack: AsyncExitStack, settings: Settings) -> Rate | None:
    if not settings.api.sign_ins_per_minute:
        return None
    rate = open_rate(_redis_url(settings.live), "sign-in", settings.api.sign_ins_per_minute)
    stack.push_async_callback(rate.close)
    return rate


async def _open_abroad(stack: AsyncExitStack, settings: Settings) -> httpx.AsyncBaseTransport:
    """Return a client for addresses that tenants name; in production it reaches public ones only."""
    grids = settings.scaigrid
    transport = PublicOnly("scaigrid", ca_file=grids.ca_file) if settings.is_production else None
    return await stack.enter_async_context(open_transport(grids, transport))


def open_store(store: Store) -> BlobStore:
    """Open the object store that the settings name. Raises StoreNotUsable."""
    access_key, secret_key = (
        key.get_secret_value() if key else None for key in (store.s3_access_key, store.s3_secret_key)
    )
    blobs = open_blobs(store.url, access_key=access_key, secret_key=secret_key, timeout_s=store.timeout_s)
    return WatchedBlobs(blobs)


def open_live(live: Live) -> Presence:
    """Open the keeper of presence that the settings name. Raises LiveNotUsable."""
    return open_presence(_redis_url(live))


def _redis_url(live: Live) -> str | None:
    return live.redis_url.get_secret_value() if live.redis_url else None
