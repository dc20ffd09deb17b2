from kubeai_notebook.core.turns import Delta, Reply, Usage, fold, reply_of


def test_adds_up_to_the_whole_text() -> None:
    reply = reply_of([Delta(text="Pa"), Delta(text="ris"), Delta(finish_reason="stop"), Delta(usage=Usage(5, 2))])
    assert reply == "Paris"
    assert (reply.finish_reason, reply.usage) == ("stop", Usage(5, 2))


def test_leaves_the_reply_before_unchanged() -> None:
    before = Reply("a")
    assert (fold(before, Delta(text="b")), before) == ("ab", "a")


def test_is_text_for_pandas_and_for_string_methods() -> None:
    assert Reply(" Paris.").strip().upper() == "PARIS."
    assert isinstance(Reply("x"), str)
