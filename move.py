"""Throw-away: move modules into sub-rooms and rewrite imports."""
import ast, re, subprocess, sys
from pathlib import Path
ROOT = Path.cwd(); PKG = ROOT/'module_utils/nginx_websocket'
def load_moves(spec):
    moves={}
    for line in spec.strip().splitlines():
        old,new=line.split()
        moves[old]=new
    return moves
moves=load_moves(Path(sys.argv[1]).read_text())   # dotted below nginx_websocket
mods={'.'.join(p.relative_to(PKG).with_suffix('').parts) for p in PKG.rglob('*.py')}
pkgs={m[:-9] for m in mods if m.endswith('.__init__')}
PREF=('module_utils.nginx_websocket','ansible.module_utils.nginx_websocket')
def newname(m): return moves.get(m,m)
def rel(frompkg, target):
    f=frompkg.split('.') if frompkg else []; t=target.split('.')
    i=0
    while i<len(f) and i<len(t)-1 and f[i]==t[i]: i+=1
    return '.'*(len(f)-i+1)+'.'.join(t[i:])
files=[Path(f) for f in subprocess.run(['git','ls-files','*.py'],capture_output=True,text=True).stdout.split()]
for path in files:
    p=ROOT/path
    text=p.read_text()
    try: tree=ast.parse(text)
    except SyntaxError: continue
    inside = PKG in p.parents
    me='.'.join(p.relative_to(PKG).with_suffix('').parts) if inside else None
    oldpkg=me.rpartition('.')[0] if inside else ''
    newme=newname(me) if inside else None
    newpkg=newme.rpartition('.')[0] if inside else ''
    lines=text.split('\n'); edits=[]
    for n in ast.walk(tree):
        if not isinstance(n,ast.ImportFrom): continue
        if n.level:
            if not inside: continue
            base=oldpkg.split('.'); base=base[:len(base)-(n.level-1)]
            base='.'.join(base+([n.module] if n.module else []))
            pref=None
        else:
            pref=next((q for q in PREF if n.module==q or n.module.startswith(q+'.')),None)
            if pref is None: continue
            base=n.module[len(pref)+1:]
        def mod(target):
            return rel(newpkg,target) if pref is None else pref+'.'+target
        def alias(a,name=None):
            name=name or a.name
            return name+(f' as {a.asname}' if a.asname else '')
        if base in mods and base not in pkgs:   # from module import names
            out=[(mod(newname(base)),[alias(a) for a in n.names])]
        else: # package: names may be modules
            groups={}
            for a in n.names:
                full=(base+'.' if base else '')+a.name
                if full in mods and full not in pkgs:
                    nn=newname(full); q,_,last=nn.rpartition('.')
                    if pref is None:
                        r=rel(newpkg,q+'.x')[:-2] if q!=newpkg else '.'
                        if q==newpkg: r='.'
                        else:
                            r=rel(newpkg,q)
                            # package import: handle parents
                            f=newpkg.split('.'); t=q.split('.')
                            i=0
                            while i<len(f) and i<len(t) and f[i]==t[i]: i+=1
                            r='.'*(len(f)-i+1)+'.'.join(t[i:])
                    else: r=pref+'.'+q
                    item = last if a.asname is None and last==a.name else f'{last} as {a.asname or a.name}'
                    groups.setdefault(r,[]).append(item)
                else:
                    if pref is None:
                        f=newpkg.split('.'); t=base.split('.') if base else []
                        i=0
                        while i<len(f) and i<len(t) and f[i]==t[i]: i+=1
                        r='.'*(len(f)-i+1)+'.'.join(t[i:])
                    else: r=pref+('.'+base if base else '')
                    groups.setdefault(r,[]).append(alias(a))
            out=list(groups.items())
        seg=text.encode()
        old='\n'.join(lines[n.lineno-1:n.end_lineno])
        indent=old[:len(old)-len(old.lstrip())]
        cur=out
        # tail comment
        new=[]
        for m_,names in out:
            new.append(f'{indent}from {m_} import {", ".join(names)}')
        tail=lines[n.end_lineno-1][n.end_col_offset if n.lineno!=n.end_lineno or True else 0:]
        tailtext=lines[n.end_lineno-1].encode()[n.end_col_offset:].decode()
        # unchanged?
        oldmod='.'*n.level+(n.module or '')
        if len(out)==1 and out[0][0]==oldmod and out[0][1]==[alias(a) for a in n.names]: continue
        prefixtext=lines[n.lineno-1].encode()[:n.col_offset].decode()
        if prefixtext.strip(): print('INLINE',path,n.lineno,old); continue
        new=[('%s(%s)'%(x.split(' import ')[0]+' import ',x.split(' import ')[1]) if len(x)>108 else x) for x in new]
        new[-1]+=tailtext
        edits.append((n.lineno,n.end_lineno,new))
    for a,b,new in sorted(edits,reverse=True): lines[a-1:b]=new
    text='\n'.join(lines)
    # dotted strings and plain mentions
    for o,nw in moves.items():
        for q in PREF[:1]:
            text=re.sub(rf'\b{re.escape(q)}\.{re.escape(o)}\b(?!/)',f'{q}.{nw}',text)
    if text!=p.read_text(): p.write_text(text)
for o,nw in moves.items():
    a=PKG/(o.replace('.','/')+'.py'); b=PKG/(nw.replace('.','/')+'.py')
    b.parent.mkdir(exist_ok=True)
    subprocess.run(['git','mv',str(a),str(b)],check=True)
# docs and other texts: path mentions
for f in subprocess.run(['git','ls-files'],capture_output=True,text=True).stdout.split():
    if f.startswith(('changelogs/','CHANGELOG')): continue
    p=ROOT/f
    if not p.is_file() or p.is_symlink(): continue
    try: t=p.read_text()
    except UnicodeDecodeError: continue
    s=t
    for o,nw in moves.items():
        op,np=o.replace('.','/'),nw.replace('.','/')
        s=re.sub(rf'(?<![\w/]){re.escape(op)}\.py\b',np+'.py',s)
        s=s.replace('nginx_websocket/'+op+'.py','nginx_websocket/'+np+'.py')
    if s!=t: p.write_text(s); print('text',f)
