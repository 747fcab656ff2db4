"""Words that say nothing of what is to be reached, in the languages that KPIs are told in."""

import re
import unicodedata

_ENGLISH = """
a achieve activity all an and area as at be better boost business by can company deliver do even everything excellence
excellent focus for from future get goal goals good great grow growth hard harder have high higher improve improved
improvement improving in increase increased increasing is it keep lower make many max maximise maximize month more most
much my next next of on optimise optimize our our objective own perform performance plan possible progress quality
quarter raise really result results sales sell selling something strengthen strong stronger stuff success target targets
team the things this to towards try up very want we week well win with work work year
"""
_POLISH = """
bardziej bardzo biznes cel cele cele coś dalej dalszy dla do dobra dobre dobry dobrze dużo działanie firma i ilość jak
jakość jest jeszcze kwartał lepiej lepsza lepsze lepszy maksymalnie miesiąc mocniej na najlepiej najwięcej nasz nasza
nasze o oraz osiągnąć plan po podnieść poprawa poprawić poprawienie postęp praca pracować przez rok rozwijać rozwój
rosnąć robić silniej sprzedaż sprzedawać sprzedaży sukces tydzień w wiele wynik wyniki wyników więcej wzmocnić wzrost z
za zespół zrobić zwiększać zwiększenie zwiększyć
"""
_CHINESE = """
提高 提升 改善 改进 改進 增加 增长 增長 加强 加強 做好 做得更好 更好 更多 更高 更强 更強 优化 優化 努力 加油
进步 進步 发展 發展 业绩 業績 销售 銷售 目标 目標 团队 團隊 工作 表现 表現 质量 品質 质 结果 結果 成功 成绩
成績 公司 我们 我們 本月 本季 今年 明年 下月 下季 尽力 盡力 全力 最好 最大 多 好 高 强 強 的 与 與 和 在 要 把
使 让 讓 得 更 做 我
"""
_EMPTY = frozenset(f"{_ENGLISH} {_POLISH}".split())
_EMPTY_CHINESE = re.compile("|".join(sorted(_CHINESE.split(), key=len, reverse=True)))
_WORD = re.compile(r"[^\W\d_]+")


def is_vague(text: str, *named: str) -> bool:
    """Whether a text names neither a number nor any object: nothing but words such as 'do better'.

    A text that is one of `named` (the KPI's name or key) is none, whatever its words.
    """
    plain = _plain(text)
    if any(plain == _plain(name) for name in named) or any(character.isdigit() for character in plain):
        return False
    return all(word in _EMPTY for word in _WORD.findall(_EMPTY_CHINESE.sub(" ", plain)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()
