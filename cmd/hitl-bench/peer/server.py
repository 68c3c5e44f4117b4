"""What one would build first with FastAPI, ONNX Runtime and SQLAlchemy: classify a text, store the item, its review and a line of a log in one
transaction, answer once it is committed. It has none of what hitl has beyond that.

    uvicorn --workers N server:app        DATABASE_URL, MODEL (a folder) and THRESHOLD come from the environment
"""

import json
import os
import uuid
from datetime import datetime, timezone

import numpy as np
import onnxruntime
import tokenizers
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import JSON, DateTime, Float, ForeignKey, String, create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

MODEL = os.environ["MODEL"]
THRESHOLD = float(os.environ["THRESHOLD"])


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    external_id: Mapped[str] = mapped_column(String, unique=True)
    text: Mapped[str]
    meta: Mapped[dict] = mapped_column(JSON)
    label: Mapped[str]
    confidence: Mapped[float] = mapped_column(Float)
    scores: Mapped[dict] = mapped_column(JSON)
    status: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Review(Base):
    __tablename__ = "reviews"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), unique=True)
    state: Mapped[str]


class Entry(Base):
    __tablename__ = "log"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[str] = mapped_column(String, index=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    status: Mapped[str]
    label: Mapped[str]
    confidence: Mapped[float] = mapped_column(Float)


class Submission(BaseModel):
    id: str
    text: str
    metadata: dict = {}


engine = create_engine(os.environ["DATABASE_URL"], pool_size=40)
tokenizer = tokenizers.Tokenizer.from_file(os.path.join(MODEL, "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(128)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # there is a process for each core
session = onnxruntime.InferenceSession(os.path.join(MODEL, "model.onnx"), options, providers=["CPUExecutionProvider"])
inputs = [i.name for i in session.get_inputs()]
with open(os.path.join(MODEL, "config.json"), encoding="utf-8") as file:
    labels = {int(i): label for i, label in json.load(file)["id2label"].items()}
app = FastAPI()


def classify(text: str) -> dict[str, float]:
    encoded = tokenizer.encode(text)
    given = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
    logits = session.run(None, {name: np.array([given[name]], dtype=np.int64) for name in inputs})[0][0]
    e = np.exp(logits - logits.max())
    return {labels[i]: float(p) for i, p in enumerate(e / e.sum())}


def view(item: Item) -> dict:
    return {"id": item.id, "status": item.status, "ai_label": item.label, "confidence": item.confidence}


@app.get("/readyz")
def ready() -> dict:
    return {"ready": True}


@app.post("/v1/items")
def post(s: Submission) -> dict:
    scores = classify(s.text)
    label = max(scores, key=scores.get)
    sure = scores[label] >= THRESHOLD
    item = Item(
        id=uuid.uuid4().hex, external_id=s.id, text=s.text, meta=s.metadata, label=label, confidence=scores[label], scores=scores,
        status="AI_ACCEPTED" if sure else "HUMAN_REVIEW", received_at=datetime.now(timezone.utc),
    )
    with Session(engine, expire_on_commit=False) as db:
        try:
            db.add(item)
            db.flush()
            if not sure:
                db.add(Review(id=uuid.uuid4().hex, item_id=item.id, state="open"))
            db.add(Entry(item_id=item.id, at=item.received_at, status=item.status, label=label, confidence=item.confidence))
            db.commit()
        except IntegrityError:
            db.rollback()
            stored = db.scalar(select(Item).where(Item.external_id == s.id))
            if stored is None:
                raise HTTPException(500)
            return view(stored)
    return view(item)


if __name__ == "__main__":  # makes the tables
    Base.metadata.create_all(engine)
