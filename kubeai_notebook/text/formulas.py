r"""Formulas in which TeX only typesets.

MathJax knows commands that make links, set styles and classes, load code and redefine other commands for the whole
page, and LaTeX, which draws a notebook's PDF, reads and writes files. Which of these exist depends on the program and
its extensions, so the commands that are kept are listed, and any other is shown as its name.

The formula must be harmless, too, in a Markdown program that knows no formulas: so it has no ``<``, no entity, no
link and no backtick. JupyterLab finds formulas before it reads Markdown; its way to count braces is repeated here.
Source: @jupyterlab/rendermime 4.6, ``latex.ts``; nbconvert 7.17, ``markdown_mistune.py``.
"""

from __future__ import annotations

import re

LONGEST = 4000
"""Characters of a formula that is typeset; a longer one is shown as text."""

COMMANDS = frozenset(
    """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu nu xi omicron pi
    varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon
    Phi Psi Omega aleph beth hbar hslash ell Re Im wp imath jmath partial nabla infty
    frac dfrac tfrac cfrac binom dbinom tbinom sqrt sum prod coprod int iint iiint oint bigcup bigcap bigoplus
    bigotimes bigodot bigvee bigwedge bigsqcup biguplus substack stackrel overset underset limits nolimits
    lim limsup liminf sup inf max min arg det dim ker hom deg gcd exp log ln lg sin cos tan cot sec csc sinh cosh tanh
    coth arcsin arccos arctan Pr mod bmod pmod pod operatorname
    le leq leqslant ge geq geqslant ne neq lt gt ll gg lll ggg approx approxeq sim simeq cong equiv propto doteq prec
    succ preceq succeq subset supset subseteq supseteq subsetneq supsetneq sqsubseteq sqsupseteq in ni notin not mid
    nmid parallel perp vdash dashv vDash models asymp bowtie lesssim gtrsim triangleq coloneqq
    pm mp times div cdot ast star circ bullet cap cup uplus sqcap sqcup vee wedge lor land lnot neg setminus
    smallsetminus wr amalg oplus ominus otimes oslash odot dagger ddagger
    to gets leftarrow rightarrow Leftarrow Rightarrow leftrightarrow Leftrightarrow uparrow downarrow Uparrow Downarrow
    updownarrow mapsto longmapsto longrightarrow longleftarrow Longrightarrow Longleftarrow longleftrightarrow
    Longleftrightarrow hookrightarrow hookleftarrow rightharpoonup rightharpoondown leftharpoonup leftharpoondown
    rightleftharpoons implies impliedby iff xrightarrow xleftarrow nearrow searrow swarrow nwarrow leadsto
    forall exists nexists emptyset varnothing angle measuredangle triangle square Box blacksquare lozenge diamond prime
    backslash top bot surd checkmark dots ldots cdots vdots ddots dotsc dotsb colon because therefore
    clubsuit diamondsuit heartsuit spadesuit flat natural sharp complement
    hat widehat tilde widetilde bar overline underline vec overrightarrow overleftarrow overbrace underbrace dot ddot
    dddot acute grave check breve mathring
    mathbf mathrm mathit mathsf mathtt mathbb mathcal mathfrak mathscr boldsymbol bm text textbf textit textrm textsf
    texttt mbox rm bf it cal mathop mathrel mathbin mathord mathopen mathclose mathpunct displaystyle textstyle
    scriptstyle scriptscriptstyle
    left right middle big Big bigg Bigg bigl bigr bigm Bigl Bigr Bigm biggl biggr Biggl Biggr lvert rvert lVert rVert
    vert Vert langle rangle lfloor rfloor lceil rceil lbrace rbrace lbrack rbrack
    quad qquad phantom hphantom vphantom smash nonumber notag hline boxed cancel bcancel xcancel tag over choose
    """.split()  # noqa: SIM905 - it reads better
)
ENVIRONMENTS = frozenset(
    """
    equation align aligned alignat gather gathered multline split cases rcases dcases matrix pmatrix bmatrix Bmatrix
    vmatrix Vmatrix smallmatrix array eqnarray
    """.split()  # noqa: SIM905 - it reads better
)
_ESCAPES = frozenset(",;:!> {}|%&#_\n")
_PART = re.compile(
    r"\\\\[ ]*\[ *-?[\d.]{1,6} *[a-z]{2} *\]"  # a row's end with the room below it, which only looks like \[
    r"|\\(?:(?P<edge>begin|end)\{(?P<environment>[A-Za-z]+)\*?\}|(?P<command>[A-Za-z]+)\*?|(?P<escape>[\s\S]?))"
    # Links, references, entities, attributes, fences: an empty space in a formula changes nothing.
    r"|[<%#`]|&(?=[#\w])|\^(?=\^)|[\]!/](?=[(\[:/])|@(?=@)|\{(?=[:=.#%])|:(?=[:/])|~(?=~)|[wW]{3}(?=\.)"
)
# What only meets once an escape between is gone: links and pictures again.
_JOINED = re.compile(r"(?<=[\]!])(?=[(\[:])|(?<=@)(?=@)|(?<=:)(?=/)")
_PLAIN_PARTS = {"<": r"\lt ", "%": r"\%", "#": r"\#", "`": "'"}
# JupyterLab's own words, where they matter inside a formula.
_BRACES = re.compile(r"\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]", re.IGNORECASE)


def typeset(formula: str) -> str | None:
    """The formula without its delimiters and without what does more than typeset; ``None``: show it as text."""
    if len(formula) > LONGEST or not formula.strip():
        return None
    kept = _JOINED.sub(" ", _PART.sub(_kept, formula))
    if not _is_balanced(kept):
        return None
    # A backslash before the closing dollar would take it along.
    return f"{kept} " if kept.endswith("\\") else kept


def _kept(match: re.Match[str]) -> str:
    part = match[0]
    if match["edge"]:
        return part if match["environment"] in ENVIRONMENTS else rf" \text{{{match['environment']}}} "
    if match["command"]:
        return part if match["command"] in COMMANDS else rf" \text{{{match['command']}}} "
    if match["escape"] is not None:
        return _kept_escape(match)
    if part.startswith("\\\\"):
        return "\\\\ "
    return _PLAIN_PARTS.get(part, f"{part} ")


def _kept_escape(match: re.Match[str]) -> str:
    escape = match["escape"]
    if escape == "\\":
        # With a bracket behind it, it would begin another formula.
        return "\\\\ " if match.string[match.end() : match.end() + 1] in tuple("()[]") else "\\\\"
    if escape and escape in _ESCAPES:
        return match[0]
    return f" {_PLAIN_PARTS.get(escape, escape)}"


def _is_balanced(formula: str) -> bool:
    """Whether JupyterLab, too, finds the formula's end where it is."""
    depth = 0
    for brace in _BRACES.findall(formula):
        if brace == "{":
            depth += 1
        elif brace == "}" and depth:
            depth -= 1
    return depth == 0
