"""What every case is made of: checkpoint, adapter, conversations. Nothing here computes."""

from checkpoint import config_of

SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TOWER = ["attn.qkv", "attn.proj", "fc1", "fc2", "mlp.0", "mlp.2"]

# A conversation is a list of pieces: a number of text tokens, a grid, or ("answer", tokens with its turn's end).
SHORT = [6, ("answer", 5)]
SYSTEM = [9, 7, ("answer", 4)]
PICTURE = [3, (1, 4, 6), 5, ("answer", 6)]
SQUARE = [4, (1, 4, 4), 3, ("answer", 3)]
TWO_PICTURES = [2, (1, 4, 6), 2, (1, 6, 2), 4, ("answer", 5)]
NEIGHBOURS = [2, (1, 2, 2), 0, (1, 4, 8), 6, ("answer", 4)]
TURNS = [3, (1, 6, 4), 4, ("answer", 3), 5, ("answer", 7), 2, (1, 2, 6), 4, ("answer", 4)]
TEXT_TURNS = [5, ("answer", 2), 6, ("answer", 6)]


def lora(targets=SEVEN, rank=4, alpha=8, rslora=False, b_amplitude=0.15):
    return {
        "rank": rank, "alpha": alpha, "rslora": rslora, "targetModules": targets, "bAmplitude": b_amplitude,
    }


def stored(dtype="f32", shards=1, naming="new"):
    return {"dtype": dtype, "shards": shards, "naming": naming}


def case(name, seed, conversations, *, config=None, checkpoint=None, adapter=None, attention="eager"):
    return {
        "name": name,
        "seed": seed,
        "attention": attention,
        "config": config or config_of(),
        "checkpoint": checkpoint or stored(),
        "lora": adapter,
        "conversations": conversations,
    }


TINY = dict(hidden=32, heads=2, kv=1, layers=1, intermediate=48, vocab=96, vision_embed=16, vision_depth=1)
# Three layers, head dimension 32, one key-value head for three query heads.
WIDE = dict(hidden=96, heads=3, kv=1, layers=3, section=(4, 6, 6), theta=1e6, vision_embed=48, vision_heads=3)

FORWARD = [
    case("no-image", 101, [SHORT, TEXT_TURNS], adapter=lora()),
    case("one-image", 102, [PICTURE], adapter=lora()),
    case("two-images", 103, [TWO_PICTURES, NEIGHBOURS], adapter=lora(), config=config_of(tied=True)),
    case("multi-turn", 104, [TURNS], adapter=lora(rank=3, alpha=16)),
    case("system", 105, [SYSTEM, [8] + PICTURE], adapter=lora(), config=config_of(kv=4), attention="sdpa"),
    case("mha-tied", 106, [PICTURE, SHORT], adapter=lora(), config=config_of(kv=4, tied=True)),
    case("gqa-wide", 107, [TWO_PICTURES], adapter=lora(["q_proj", "v_proj", "down_proj"]), config=config_of(**WIDE)),
    case("bf16-sharded-old", 108, [PICTURE, SHORT], adapter=lora(), checkpoint=stored("bf16", 3, "old")),
    case("f16", 109, [PICTURE, SHORT], adapter=lora(), config=config_of(tied=True), checkpoint=stored("f16", 1, "new")),
    case("f32-sharded-new", 110, [SQUARE], adapter=lora(), checkpoint=stored("f32", 2, "new")),
    case("bf16-tied-old", 111, [PICTURE], adapter=lora(), config=config_of(tied=True), checkpoint=stored("bf16", 1, "old")),
    case("vision-lora", 112, [TWO_PICTURES, SQUARE], adapter=lora(SEVEN + TOWER)),
    case("rslora", 113, [PICTURE], adapter=lora(rank=6, alpha=4, rslora=True)),
    case(
        "regex", 114, [PICTURE, SHORT],
        adapter=lora(r".*language_model\.layers\.1\..*_proj|.*\.blocks\.\d+\..*proj|.*merger\.mlp\.2", rank=2),
    ),
    case("full", 115, [TWO_PICTURES, SHORT], config=config_of(**TINY, section=(2, 3, 3), tied=True)),
]


def training(
    *, epochs, learning_rate, weight_decay=0.01, schedule="linear", warmup=5, accumulation=4, max_norm=1.0
):
    """The words of our config file, for the Trainer's."""
    return {
        "epochs": epochs,
        "gradientAccumulation": accumulation,
        "learningRate": learning_rate,
        "weightDecay": weight_decay,
        "schedule": schedule,
        "warmupSteps": warmup,
        "maxGradNorm": max_norm,
    }


LONG = [4, ("answer", 14)]
CURT = [8, ("answer", 2)]
CORNER = [2, (1, 2, 2), 3, ("answer", 8)]
WORDS = [SHORT, CURT, LONG]

# Rows are taken in order, never shuffled; each epoch ends with a step of fewer rows.
TRAINING = [
    (
        case(
            "train-fresh", 201, [SQUARE, LONG, CURT, PICTURE, SHORT, CORNER, CURT, TEXT_TURNS, CURT, LONG],
            adapter=lora(b_amplitude=0.0),
        ),
        training(epochs=10, learning_rate=1.4e-2),
    ),
    (
        case(
            "train-continue", 202, [CORNER, LONG, CURT, SQUARE, LONG, CURT, SHORT],
            adapter=lora(), config=config_of(tied=True), checkpoint=stored("bf16", 2, "old"),
        ),
        training(epochs=15, learning_rate=1e-2, weight_decay=0.3),
    ),
    (
        case(
            "train-cosine-vision", 203, [CORNER, CURT, TWO_PICTURES, LONG, SQUARE, CURT, CORNER, SHORT, CURT],
            adapter=lora(SEVEN + TOWER, b_amplitude=0.1), attention="sdpa",
        ),
        training(epochs=10, learning_rate=1e-2, schedule="cosine"),
    ),
    (
        # Fewer rows than the accumulation asks for: every step is a remainder.
        case("train-constant-rslora", 204, WORDS, adapter=lora(rank=6, alpha=6, rslora=True)),
        training(epochs=30, learning_rate=2e-3, schedule="constant", weight_decay=0.1),
    ),
    (
        case(
            "train-full", 205, [CORNER, LONG, CURT, SQUARE, CURT, SHORT],
            # Slow rotations would leave the key bias almost without a gradient, and AdamW enlarges what is left.
            config=config_of(**TINY, tied=True, theta=100.0),
        ),
        training(epochs=15, learning_rate=1e-3, weight_decay=0.3, max_norm=5.0),
    ),
]
