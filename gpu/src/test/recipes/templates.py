"""Writes src/test/resources/templates/expected.json: what Hugging Face transformers, and so Python's Jinja2, makes of the
templates beside that file and of the snippets below, given the same variables.

Needs transformers 5 and jinja2.

    python templates.py --folder ../resources/templates
"""

import argparse
import json
from pathlib import Path

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

CONVERSATIONS = {
    "one": [{"role": "user", "content": "Hi"}],
    "system": [{"role": "system", "content": "  Be brief. \n"}, {"role": "user", "content": " Why? "}],
    "turns": [
        {"role": "system", "content": "Say it in verse."},
        {"role": "user", "content": "What is a palo verde?"},
        {"role": "assistant", "content": "<think>\nA tree.\n</think>\n\nA nurse of green."},
        {"role": "user", "content": "And a saguaro — 仙人掌 😀?\n\n"},
    ],
    "answered": [
        {"role": "user", "content": "1 < 2 & 'a' \"b\" {{ x }}"},
        {"role": "assistant", "content": "<think>\nYes.\n</think>\n\nTrue.  "},
    ],
    "last-system": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}],
    "two-users": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "stranger": [{"role": "stranger", "content": "boo"}],
    "empty": [{"role": "user", "content": ""}],
    "tools-called": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "weather", "arguments": {"place": "Tucson", "days": 2, "exact": True}}}],
        },
        {"role": "tool", "content": "sunny"},
    ],
}

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "What it's like <there>",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer"}}, "required": ["place"]},
        "return": {"type": "string"},
    },
}

DATA = {
    "text": "  Hello World  ",
    "word": "naïve",
    "emoji": "a😀b",
    "lines": "one\ntwo\n\nthree",
    "numbers": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "people": [{"name": "Ann", "age": 31, "tags": ["x"]}, {"name": "bob", "age": 7}, {"name": "Cy", "age": None}],
    "table": {"b": 1, "a": [1, 2.5, None, True], "c": {"d": "e"}},
    "nothing": None,
    "yes": True,
    "no": False,
    "one": 1,
    "big": 123456789,
    "half": 0.5,
}

SNIPPETS = [
    "{{ text.strip() }}|{{ text.lstrip() }}|{{ text.rstrip() }}|{{ text | trim }}",
    "{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ 'abcba'.rstrip('ab') }}",
    "{{ 'a,b,,c'.split(',') }}|{{ ' a  b c '.split() }}|{{ 'a,b,c'.split(',', 1) }}|{{ ' a  b c '.split(None, 1) }}",
    "{{ 'a,b,c'.rsplit(',', 1) }}|{{ 'abc'.rsplit(',') }}|{{ 'a-b-c'.partition('-') }}|{{ 'a-b-c'.rpartition('-') }}|{{ 'abc'.partition('-') }}|{{ 'abc'.rpartition('-') }}",
    "{{ lines.splitlines() }}|{{ 'abc'.startswith('ab') }}|{{ 'abc'.startswith(('x', 'a')) }}|{{ 'abc'.endswith('bc') }}",
    "{{ 'abc'.removeprefix('a') }}|{{ 'abc'.removesuffix('c') }}|{{ 'abc'.removesuffix('') }}",
    "{{ word.upper() }}|{{ 'ABC'.lower() }}|{{ 'aBC dEF'.capitalize() }}|{{ \"aBC dEF's\".title() }}",
    "{{ 'aaa'.replace('a', 'b') }}|{{ 'aaa'.replace('a', 'b', 2) }}|{{ 'ab'.replace('', '-') }}|{{ '-'.join(['a', 'b']) }}",
    "{{ 'banana'.find('an') }}|{{ 'banana'.rfind('an') }}|{{ 'banana'.find('x') }}|{{ 'banana'.index('n') }}|{{ 'banana'.count('an') }}|{{ emoji.find('b') }}",
    "{{ '12'.isdigit() }}|{{ ''.isdigit() }}|{{ 'a1'.isalnum() }}|{{ 'ab'.isalpha() }}|{{ ' '.isspace() }}|{{ 'AB'.isupper() }}|{{ '1'.islower() }}",
    "{{ '{} and {}'.format('a', 1) }}|{{ '{1}{0}'.format('a', 'b') }}|{{ '{x}{{}}'.format(x=2) }}|{{ '7'.zfill(3) }}",
    "{{ '%s-%s' % ('a', 1) }}|{{ '%d%%' % 5 }}|{{ 'a%sb' % none }}",
    "{{ emoji | length }}|{{ emoji[1] }}|{{ emoji[-1] }}|{{ emoji[::-1] }}|{{ emoji[1:] }}",
    "{{ numbers[1:] }}|{{ numbers[:-1] }}|{{ numbers[::-1] }}|{{ numbers[::2] }}|{{ numbers[5:] }}|{{ numbers[-2:] }}|{{ numbers[2:0:-1] }}",
    "{{ 'hello'[1:3] }}|{{ 'hello'[-3:] }}|{{ 'hello'[::-1] }}|{{ 'hello'[10:] }}|{{ 'hello'[:none] }}",
    "{{ numbers }}|{{ words }}|{{ table }}|{{ people[2] }}|{{ (1, 2) }}|{{ (1,) }}|{{ [] }}|{{ {} }}|{{ () }}",
    "{{ none }}|{{ true }}|{{ False }}|{{ 1.0 }}|{{ 1e20 }}|{{ 0.1 + 0.2 }}|{{ 1e-7 }}|{{ 12345678.9 }}|{{ 0.0001 }}|{{ half }}",
    "{{ [\"it's\", 'a\"b', 'a\\'b\"c', 'x\\n\\t\\\\', 'é\\x07'] }}",
    "{{ missing }}|{{ missing is defined }}|{{ table.missing }}|{{ table['missing'] is undefined }}|{{ missing | default('d') }}|{{ '' | default('d') }}|{{ '' | default('d', true) }}|{{ none | default('d') }}",
    "{{ missing.field }}",
    "{{ missing() }}",
    "{{ missing + 1 }}",
    "{{ 'a' + 1 }}",
    "{{ 'a' < 1 }}",
    "{{ strange | filter_that_is_not }}",
    "{{ raise_exception('no: ' ~ one) }}",
    "{% for x in none %}{% endfor %}",
    "{{ 7 // 2 }}|{{ -7 // 2 }}|{{ 7 / 2 }}|{{ 4 / 2 }}|{{ 7 % 3 }}|{{ -7 % 3 }}|{{ 2 ** 10 }}|{{ 2 ** -1 }}|{{ 7.5 // 2 }}|{{ -7.5 % 2 }}|{{ - 3 }}|{{ +one }}|{{ 2 * 3 + 4 * 5 - 6 }}",
    "{{ 1 / 0 }}",
    "{{ true + true }}|{{ 'ab' * 2 }}|{{ [1] * 3 }}|{{ [1] + [2] }}|{{ 1 ~ 'a' ~ none ~ 1.5 ~ true }}",
    "{{ 1 == 1.0 }}|{{ true == 1 }}|{{ 'a' == 'a' }}|{{ [1, 'a'] == [1, 'a'] }}|{{ (1,) == [1] }}|{{ none == false }}|{{ 1 != 2 }}|{{ 1 < 2 < 3 }}|{{ 1 < 3 < 2 }}|{{ 'a' < 'b' }}|{{ {'a': 1} == {'a': 1.0} }}",
    "{{ 'b' in 'abc' }}|{{ 2 in numbers }}|{{ 'a' in table }}|{{ 'z' not in table }}|{{ not 'z' in table }}|{{ 1 in missing }}",
    "{{ yes and no }}|{{ no or 'x' }}|{{ 0 or '' or none }}|{{ 1 and 2 }}|{{ not none }}|{{ not [0] }}|{{ not yes or yes }}",
    "{{ 'a' if yes else 'b' }}|{{ 'a' if no }}|{{ 'a' if no else 'b' if no else 'c' }}|{{ ('a' if yes else 'b') ~ 'c' }}",
    "{{ 'x' + 'a b' | upper + 'c' }}|{{ -3 | abs }}|{{ 2 + 3 | string | length }}|{{ 'a' ~ 'b' | upper }}",
    "{{ numbers | sort }}|{{ words | sort }}|{{ words | sort(reverse=true) }}|{{ words | sort(case_sensitive=true) }}|{{ people | map(attribute='name') | sort | list }}",
    "{{ numbers | first }}|{{ numbers | last }}|{{ [] | first }}|{{ numbers | sum }}|{{ numbers | min }}|{{ numbers | max }}|{{ numbers | reverse | list }}|{{ 'abc' | reverse }}",
    "{{ people | map(attribute='age') | list }}|{{ people[:1] | map(attribute='tags.0') | list }}|{{ words | map('upper') | join(',') }}|{{ people | map(attribute='tags', default='-') | list }}",
    "{{ people | selectattr('age') | map(attribute='name') | join }}|{{ people | rejectattr('age', 'none') | list | length }}|{{ people | selectattr('name', 'in', ['Ann', 'Cy']) | list | length }}|{{ people | selectattr('age', 'eq', 7) | list | count }}|{{ people | selectattr('tags', 'defined') | list | length }}",
    "{{ numbers | select('odd') | list }}|{{ numbers | reject('odd') | list }}|{{ [0, 1, '', 'a'] | select | list }}|{{ numbers | select('>', 1) | list }}|{{ words | unique | list }}",
    "{{ table | tojson }}|{{ 'é<b>\"\\n' | tojson }}|{{ 'é' | tojson(ensure_ascii=true) }}|{{ [] | tojson }}|{{ 1.0 | tojson }}",
    "{{ table | tojson(indent=2) }}|{{ {} | tojson(indent=2) }}|{{ [[], {}, [1]] | tojson(indent=1) }}",
    "{{ table | tojson(separators=(',', ':')) }}|{{ table | tojson(sort_keys=true) }}",
    "{{ missing | tojson }}",
    "{{ table | items | list }}|{{ table.items() | list }}|{{ table.keys() | list }}|{{ table.get('a') }}|{{ table.get('z') }}|{{ table.get('z', 'y') }}|{{ table | dictsort }}|{{ table | length }}|{{ table | list }}",
    "{% for k, v in table.items() %}{{ k }}={{ v }}{{ ';' if not loop.last }}{% endfor %}",
    "{{ '3' | int }}|{{ 'x' | int }}|{{ 'x' | int(5) }}|{{ 3.9 | int }}|{{ '3.7' | int }}|{{ '2.5' | float }}|{{ 3 | float }}|{{ 3.567 | round(1) }}|{{ 3.2 | round(0, 'ceil') }}|{{ 5 | round }}",
    "{{ lines | indent }}|{{ lines | indent(2, true) }}|{{ lines | indent('> ', first=true, blank=true) }}",
    "{{ '<a&b>' | e }}|{{ '<a>' | safe }}|{{ 12 | string }}|{{ 'a b' | title }}|{{ 'hELLO' | capitalize }}|{{ 'a-b' | replace('-', '+') }}",
    "{{ 1 is number }}|{{ 1 is integer }}|{{ 1.0 is float }}|{{ true is integer }}|{{ true is boolean }}|{{ 'a' is string }}|{{ table is mapping }}|{{ numbers is iterable }}|{{ 'a' is iterable }}|{{ 1 is iterable }}|{{ numbers is sequence }}|{{ none is none }}|{{ nothing is not none }}|{{ missing is not defined }}",
    "{{ 3 is odd }}|{{ 4 is even }}|{{ 9 is divisibleby 3 }}|{{ 9 is divisibleby(2) }}|{{ 1 is eq 1 }}|{{ 1 is equalto(2) }}|{{ 2 is gt 1 }}|{{ 1 is in [1, 2] }}|{{ 1 is sameas 1 }}|{{ yes is true }}|{{ one is true }}|{{ no is false }}|{{ 'a' is lower }}|{{ 'A' is upper }}|{{ range is callable }}",
    "{{ range(3) | list }}|{{ range(1, 8, 3) | list }}|{{ range(3, 0, -1) | list }}|{% for i in range(2) %}{{ i }}{% endfor %}",
    "{% for x in numbers %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 2) }} {% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}|{% for x in numbers if x > 1 %}{{ x }}{{ loop.length }}{% endfor %}|{% for x in numbers if x > 9 %}a{% else %}none{% endfor %}|{% for c in emoji %}[{{ c }}]{% endfor %}|{% for k in table %}{{ k }}{% endfor %}",
    "{% for x in numbers %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}|{% for x in numbers %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3)), (4, (5, 6))] %}{{ a }}{{ b }}{{ c }}{% endfor %}|{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% set x = 1 %}{% for i in numbers %}{% set x = x + i %}{{ x }}{% endfor %}|{{ x }}|{% if yes %}{% set x = 9 %}{% endif %}{{ x }}",
    "{% set ns = namespace(x=1, y='a') %}{% for i in numbers %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns.z is defined }}",
    "{% set x %}  a{{ one }}  {% endset %}[{{ x }}]|{% set x | trim | upper %}  ab  {% endset %}[{{ x }}]",
    "{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, 3) }}|{{ f(1, c=5) }}|{{ f(b=1, a=2) }}|{{ f('x' ) | length }}|{{ f() }}",
    "{% macro outer(n) %}{{ n }}{% if n > 0 %}{{ outer(n - 1) }}{% endif %}{% endmacro %}{{ outer(3) }}",
    "{{ dict(a=1, b='x') }}|{{ {'a': {'b': [1, {'c': 2}]}}.a.b[1].c }}|{{ {1: 'one', 'two': 2}[1] }}|{{ table.a.0 }}",
    "a\n  {% if yes %}\n  b\n  {% endif %}\n  c\n",
    "a\n  {%- if yes -%}\n  b\n  {%- endif -%}\n  c\n",
    "a\n  {%+ if yes %}\n  b\n  {%+ endif +%}\n  c\n\n",
    "  {# comment #}\n  x {# another #} y\n  {#- tight -#}\n  z",
    "a {{- ' b ' -}} c\n{{ 'd' }}\n\n{{ 'e' }}\n  {{ 'f' }}\n",
    "{% raw %}{{ not }} {% this %}{% endraw %}|{%- raw -%}  {{ x }}  {%- endraw %}\n{% raw %}\n a\n{% endraw %}\nb",
    "{{ '}}' }}{{ '%}' }}{{ {'a': {'b': 1}}['a']['b'] }}{{ \"{{\" }}",
    "{{ 'tab\\tnew\\nline \\'q\\' \\\"d\\\" \\\\ \\u00e9 \\x41 \\101 \\z' }}|{{ 'ab' 'cd' }}",
    "{%if yes%}a{%elif no%}b{%else%}c{%endif%}|{% if no %}a{% elif yes %}b{% else %}c{% endif %}|{% if no %}a{% else %}c{% endif %}",
    "{% generation %}a{% set q = 1 %}{% endgeneration %}b",
    "{{ numbers.append(4) }}",
    "{{ table.pop('a') }}",
    "{{ table.update({'x': 1}) }}",
    "{{ numbers.__class__.__mro__ }}",
    "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ text.getClass() }}",
    "{{ numbers.index(2) }}|{{ numbers.count(3) }}",
    "{{ 'a' is string and 'b' is string }}|{{ 'a' is defined or missing.x }}|{{ 1 if missing is defined and missing.x else 2 }}",
    "{% for person in people | sort(attribute='name') %}{{ person.name }}{% endfor %}|{{ people | sum(attribute='age') }}",
    "{{ people | selectattr('age', 'number') | sum(attribute='age') }}|{{ people[:2] | max(attribute='age') }}",
    "{{ big }}|{{ 1_000 }}|{{ 10000000000 * 10 }}",
    "{{ one.missing }}|{{ 'abc'.0 }}|{{ numbers.0 }}|{{ numbers[9] is defined }}",
    "{{ [1, 2, 3][1] }}{{ 'abc'[0] }}{{ (1, 2)[0] }}{{ [[1]][0][0] }}",
    "\r\na\r\nb\r\n",
    "{{ 1 }} {{ 2 }}\n",
    "{% if yes %}\n{% endif %}\n\n x",
    "{% for x in numbers -%}\n  {{ x }},\n{%- endfor %}",
    "{{ not }}",
    "{% if %}{% endif %}",
    "{% endif %}",
    "{% for x in numbers %}",
    "{{ 'open }}",
    "{{ x",
    "{% unknown %}",
]


def rendered(source, variables):
    try:
        return {"expected": _compile_jinja_template(source).render(**variables)}
    except (jinja2.TemplateError, TypeError, ValueError, ZeroDivisionError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def cases(folder):
    for template in sorted(folder.glob("*.jinja")):
        source = template.read_text(encoding="utf-8")
        for name, messages in CONVERSATIONS.items():
            for prompted in (True, False):
                for tools in (None, [TOOL, TOOL]):
                    more = {"add_generation_prompt": prompted, "tools": tools and "tools", "documents": None}
                    if template.stem == "headers":
                        more["date_string"] = "01 Jan 2025"
                    if template.stem == "thinking" and tools:
                        more["enable_thinking"] = False
                    variables = {**TOKENS, **more, "messages": messages, "tools": tools}
                    yield {"template": template.name, "conversation": name, "more": more, **rendered(source, variables)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=Path, required=True)
    folder = arguments.parse_args().folder
    expected = {
        "transformers": transformers.__version__,
        "jinja2": jinja2.__version__,
        "conversations": CONVERSATIONS,
        "tools": [TOOL, TOOL],
        "tokens": TOKENS,
        "templates": list(cases(folder)),
        "data": DATA,
        "snippets": [{"source": source, **rendered(source, {**DATA, **TOKENS})} for source in SNIPPETS],
    }
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")
    failed = sum("error" in case for case in expected["templates"] + expected["snippets"])
    print(f"{len(expected['templates'])} templates, {len(expected['snippets'])} snippets, {failed} of them errors, {len(text)} characters")


if __name__ == "__main__":
    main()
