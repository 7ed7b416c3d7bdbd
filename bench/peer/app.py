"""The server that Stoa is measured against: FastAPI + SQLAlchemy ORM + SQLite, written the usual way.

It does the work that the measured Stoa requests do, no more: a token checked on every request, one entity with the
columns of Stoa's accounts, the list answered from an index, a validated insert with an audit row in the same transaction, WAL with
synchronous=FULL. Endpoints are `def`, as the documentation of FastAPI advises for a synchronous driver.

    python app.py seed ROWS      create the database, print {"token": ..., "ids": [...]}
    uvicorn app:app              serve it
"""

import datetime as dt
import json
import os
import sys
import time
import uuid
from typing import Annotated, Literal

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import JSON, ForeignKey, Index, String, Text, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

SECRET = "a secret of the bench that protects nothing"
AUDIENCE = "bench"
INDUSTRIES = ["retail", "software", "medical", "finance", "marketing", "services", "employment", "entertainment"]
Industry = Literal["retail", "software", "medical", "finance", "marketing", "services", "employment", "entertainment"]
Kind = Literal["prospect", "customer", "partner", "competitor", "former"]

engine = create_engine(
    f"sqlite:///{os.environ.get('PEER_DATABASE', 'peer.sqlite')}",
    connect_args={"check_same_thread": False, "timeout": 30},
    pool_size=40,
    max_overflow=10,
)
new_session = sessionmaker(engine, expire_on_commit=False)


@event.listens_for(engine, "connect")
def durable(connection, _record):
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    __table_args__ = (Index("accounts_by_industry", "industry", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int]
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str] = mapped_column(String(36))
    updated_at: Mapped[dt.datetime]
    updated_by: Mapped[str] = mapped_column(String(36))
    owner_id: Mapped[str] = mapped_column(String(36))
    team_id: Mapped[str | None] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(String(200), index=True)
    legal_name: Mapped[str | None] = mapped_column(String(200))
    kind: Mapped[str | None] = mapped_column(String(20))
    parent: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    website: Mapped[str | None] = mapped_column(String(200))
    industry: Mapped[str | None] = mapped_column(String(40))
    year_founded: Mapped[int | None]
    employees: Mapped[int | None]
    revenue_minor: Mapped[int | None]
    revenue_currency: Mapped[str | None] = mapped_column(String(3))
    country: Mapped[str | None] = mapped_column(String(100), index=True)
    phone: Mapped[str | None] = mapped_column(String(40))
    description: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(20))
    external_ids: Mapped[dict[str, str]] = mapped_column(JSON)


class Audit(Base):
    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]
    principal: Mapped[str] = mapped_column(String(36))
    operation: Mapped[str] = mapped_column(String(10))
    record: Mapped[str] = mapped_column(String(36))
    new: Mapped[str] = mapped_column(Text)


class AccountIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    legal_name: str | None = Field(default=None, max_length=200)
    kind: Kind | None = None
    parent: str | None = Field(default=None, max_length=36)
    website: str | None = Field(default=None, max_length=200, pattern="^https?://")
    industry: Industry | None = None
    year_founded: int | None = Field(default=None, ge=1000, le=2200)
    employees: int | None = Field(default=None, ge=0)
    revenue_minor: int | None = None
    revenue_currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    country: str | None = Field(default=None, max_length=100)
    phone: str | None = Field(default=None, max_length=40)
    description: str | None = None


class AccountOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    created_at: dt.datetime
    created_by: str
    updated_at: dt.datetime
    updated_by: str
    owner_id: str
    team_id: str | None
    name: str
    legal_name: str | None
    kind: str | None
    parent: str | None
    website: str | None
    industry: str | None
    year_founded: int | None
    employees: int | None
    revenue_minor: int | None
    revenue_currency: str | None
    country: str | None
    phone: str | None
    description: str | None
    source: str
    external_ids: dict[str, str]


class Page(BaseModel):
    data: list[AccountOut]
    next_cursor: str | None


class Caller(BaseModel):
    id: str
    roles: list[str]


def caller(authorization: Annotated[str, Header()] = "") -> Caller:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401, "no token")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience=AUDIENCE)
    except jwt.PyJWTError:
        raise HTTPException(401, "invalid token") from None
    return Caller(id=claims["sub"], roles=claims["roles"])


def session():
    with new_session() as opened:
        yield opened


Known = Annotated[Caller, Depends(caller)]
Database = Annotated[Session, Depends(session)]
app = FastAPI()


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/accounts/{account_id}", response_model=AccountOut)
def get_account(account_id: str, database: Database, _caller: Known):
    account = database.get(Account, account_id)
    if account is None:
        raise HTTPException(404, "no such account")
    return account


@app.get("/accounts", response_model=Page)
def list_accounts(
    database: Database,
    _caller: Known,
    industry: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    sort: Annotated[str, Query(pattern="^-?created_at$")] = "-created_at",
):
    query = select(Account)
    if industry is not None:
        query = query.where(Account.industry == industry)
    if sort.startswith("-"):
        query = query.order_by(Account.created_at.desc(), Account.id.desc())
    else:
        query = query.order_by(Account.created_at, Account.id)
    return {"data": database.scalars(query.limit(limit)).all(), "next_cursor": None}


@app.post("/accounts", response_model=AccountOut, status_code=201)
def create_account(body: AccountIn, database: Database, by: Known):
    account = made(body, by.id)
    database.add(account)
    database.add(audited(account, by.id))
    database.commit()
    return account


def made(body: AccountIn, by: str) -> Account:
    now = dt.datetime.now(dt.UTC)
    return Account(
        id=str(uuid.uuid4()),
        version=1,
        created_at=now,
        created_by=by,
        updated_at=now,
        updated_by=by,
        owner_id=by,
        source="api",
        external_ids={},
        **body.model_dump(),
    )


def audited(account: Account, by: str) -> Audit:
    new = AccountOut.model_validate(account).model_dump_json()
    return Audit(at=account.created_at, principal=by, operation="insert", record=account.id, new=new)


def seeded(number: int) -> AccountIn:
    """The n-th account: the same as `account` in xtask/src/bench/peer.rs."""
    return AccountIn(
        name=f"Account {number:06}",
        industry=INDUSTRIES[number % len(INDUSTRIES)],
        kind="customer",
        website=f"https://account-{number}.example",
        year_founded=1950 + number % 70,
        employees=number % 5_000,
        country="United States",
    )


def seed(rows: int) -> None:
    Base.metadata.create_all(engine)
    by = str(uuid.uuid4())
    ids = []
    with new_session() as database:
        for number in range(rows):
            account = made(seeded(number), by)
            database.add(account)
            database.add(audited(account, by))
            ids.append(account.id)
        database.commit()
    claims = {"sub": by, "roles": ["owner"], "aud": AUDIENCE, "exp": int(time.time()) + 86_400}
    json.dump({"token": jwt.encode(claims, SECRET, algorithm="HS256"), "ids": ids}, sys.stdout)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "seed":
        seed(int(sys.argv[2]))
    else:
        sys.exit(__doc__)
