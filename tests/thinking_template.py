"""A chat template that rewrites earlier turns as Qwen3's does.

Thoughts stay only behind the last question, where the last answer has a block of thoughts even if
it is empty. A tool's results are turns of the user, several in a row one turn, and neither they nor
a user's turn that is one count as a question. Tool calls and the switch for thoughts are left out.
"""

THINKING_TEMPLATE = """
{%- macro is_result(text) -%}
{{- 'yes' if text.startswith('<tool_response>') and text.endswith('</tool_response>') -}}
{%- endmacro -%}
{%- set found = namespace(last=-1) -%}
{%- for m in messages -%}
{%- if m.role == 'user' and not is_result(m.content) -%}
{%- set found.last = loop.index0 -%}
{%- endif -%}
{%- endfor -%}
{%- for m in messages -%}
{%- set thinks = '</think>' in m.content -%}
{%- set said = m.content.split('</think>')[-1].lstrip('\\n') if thinks else m.content -%}
{%- set thought = m.content.split('</think>')[0].split('<think>')[-1].strip('\\n') if thinks
   else '' -%}
{%- if m.role == 'tool' -%}
{{ '' if loop.previtem is defined and loop.previtem.role == 'tool' else '<|im_start|>user' }}
{{- '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}
{{- '' if loop.nextitem is defined and loop.nextitem.role == 'tool' else '<|im_end|>\\n' }}
{%- elif m.role != 'assistant' -%}
{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- elif loop.index0 > found.last and (loop.last or thought) -%}
{{ '<|im_start|>assistant\\n<think>\\n' + thought + '\\n</think>\\n\\n' + said.lstrip('\\n')
   + '<|im_end|>\\n' }}
{%- else -%}{{ '<|im_start|>assistant\\n' + said + '<|im_end|>\\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
