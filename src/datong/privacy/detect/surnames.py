"""Chinese surnames, and the characters with which names of places and things end: names told from other words."""

from __future__ import annotations

from typing import Final

from datong.privacy.masks import COMPOUND_SURNAMES

SINGLE: Final = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧肖程曹袁邓许傅付沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎闫余潘杜戴夏钟"
    "汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦"
    "季俞章鲁葛伍韦申尤毕聂丛焦向柳邢骆岳齐尚梅莫庄辛管祝左涂谷祁时舒耿牟卜路詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位"
    "霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀"
    "谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄"
)
"""Single surnames that nearly all people in China bear, from public statistics of surnames."""
COMPOUND: Final = tuple(sorted(COMPOUND_SURNAMES))
PLACE_ENDS: Final = (
    "省市区县乡镇村街路巷站局厅院校厂店部所处科室会社馆园寺山河湖桥港湾岛业色族类型级号线学班组楼城场率额量价"
)
"""What no given name ends with, or so seldom that a column of such values holds no names."""
