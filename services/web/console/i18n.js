// Words of the console in Chinese and English, names from the catalogue, times in Asia/Shanghai.

const WORDS = {
  title: ["呼叫 · 指挥中心", "Hujiao · Command centre"],
  brand: ["呼叫", "Hujiao"],
  flow: ["群众上报 → 乡镇呼叫 → 部门报到", "Residents report → the township calls → departments report in"],
  skip: ["跳到看板", "Skip to the board"],
  demo: ["演示", "DEMO"],
  invented: ["演示数据，均为虚构。", "Invented reports; no real people."],
  speed: ["时钟速度", "Clock speed"],
  now: ["现在（北京时间）", "Now (Beijing time)"],
  lost: ["连接中断，正在重试…", "Connection lost, retrying…"],
  lag: ["视图落后 {n} 条事实", "Views are {n} facts behind"],
  report: ["我要上报", "Report"],
  lookup: ["查回执", "Look up"],
  figures: ["主要数字", "Key figures"],
  board: ["看板", "Board"],
  town: ["乡镇", "Town"],
  all_towns: ["全部乡镇", "All towns"],
  class: ["办理类别", "Class"],
  only_overdue: ["只看逾期", "Only overdue"],
  platforms: ["平台", "Platforms"],
  items: ["{n} 项待办，{m} 项逾期", "{n} owed, {m} overdue"],
  partial: ["共 {m} 项，各组只列最紧急的，此处 {n} 项", "{m} in all; the most urgent of each group are listed, here {n}"],
  nothing: ["没有待办事项", "Nothing is owed"],
  show_all: ["显示全部 {n} 项", "Show all {n}"],
  show_less: ["收起", "Show fewer"],
  overdue: ["逾期", "overdue"],
  overdue_by: ["逾期 {d}", "late {d}"],
  left: ["剩 {d}", "{d} left"],
  no_due: ["不限时", "no limit"],
  escalated: ["已升级{n}级", "raised ×{n}"],
  unclassified: ["待分类", "Not yet classified"],
  ticker: ["实时动态", "Live"],
  pause: ["暂停", "Pause"],
  resume: ["继续", "Resume"],
  late: ["迟", "late"],
  case: ["事件", "Case"],
  close: ["关闭", "Close"],
  loading: ["正在读取…", "Loading…"],
  no_case: ["没有这个事件。", "There is no such case."],
  still_owed: ["尚欠", "Still owed"],
  why: ["为什么这样呼叫", "Why it was called this way"],
  departments: ["呼叫的部门", "Departments called"],
  timeline: ["时间线", "Timeline"],
  nth_call: ["第 {n} 次呼叫", "Call no. {n}"],
  attempt: ["第 {n} 次办理", "Attempt {n}"],
  due: ["应于", "Due"],
  staff_number: ["工号", "Number"],
  served_since: ["到镇日期", "In town since"],
  employer: ["所属单位", "Employer"],
  lent: ["借调", "Secondment"],
  missed_at: ["逾期于", "Missed at"],
  actual: ["实际", "Actual"],
  clock: ["时限", "Clock"],
  on_time: ["✓ 按时", "✓ on time"],
  was_late: ["✕ 迟", "✕ late"],
  stopped: ["已解除", "released"],
  required: ["须反馈", "required"],
  people: ["到场 {n} 人", "{n} on the spot"],
  turn_out: ["联合出动", "Joint turn-out"],
  needed: ["应到 {n} 人", "{n} needed"],
  called_n: ["点名 {n} 人", "{n} called"],
  on_duty: ["值班：", "On duty:"],
  nobody: ["无人", "nobody"],
  no_cover: ["无人值班：{p} {s} 至 {e}", "Nobody on duty: {p} {s} to {e}"],
  post: ["岗位", "Post"],
  posts: ["任职", "Posts"],
  from: ["自", "From"],
  until: ["至", "Until"],
  whereabouts: ["去向", "Where"],
  free_people: ["各部门在岗人数", "Who is free, by department"],
  reports_n: ["{n} 件上报", "reports: {n}"],
  result_due: ["办结期限", "Result due"],
  reported_at: ["上报时间", "Reported"],
  satisfied: ["群众满意", "Reporter satisfied"],
  dissatisfied: ["群众不满意", "Reporter not satisfied"],
  late_case: ["逾期办结", "Result late"],
  report_title: ["我要上报", "Report to the township"],
  f_title: ["标题", "Title"],
  f_text: ["情况说明", "What happened"],
  f_town: ["乡镇", "Town"],
  f_village: ["村、社区", "Village or community"],
  f_place: ["具体地点（可不填）", "Exact place (optional)"],
  f_anonymous: ["匿名上报（不留联系方式，无法回访）", "Report anonymously (no contact, so no follow-up)"],
  f_name: ["称呼（可不填）", "Name (optional)"],
  f_phone: ["电话（可不填）", "Telephone (optional)"],
  f_unknown: ["不清楚", "Not sure"],
  choose: ["请选择", "Choose"],
  send: ["提交", "Send"],
  sending: ["正在提交…", "Sending…"],
  sent: ["已收到。请记下回执号，凭它查询办理情况：", "Received. Keep this receipt; it tells you what becomes of your report:"],
  repeated: ["这份上报此前已经收到，回执号不变。", "This report had been received before; the receipt is the same."],
  another: ["再报一件", "Report another"],
  follow: ["查看进展", "See progress"],
  copy: ["复制", "Copy"],
  copied: ["已复制", "Copied"],
  receipt: ["回执号", "Receipt"],
  find: ["查询", "Find"],
  stage: ["进展", "Stage"],
  matter: ["事项", "Matter"],
  reply: ["答复", "Reply"],
  open_case: ["打开事件", "Open the case"],
  failed: ["提交不成功：{e}", "Not accepted: {e}"],
  unreachable: ["连接不上服务，请稍后重试。", "The service cannot be reached. Please try again."],
  demo_form: ["演示系统，请勿填写真实姓名、电话。", "This is a demo: please do not enter real names or telephone numbers."],
  desks: ["工作台", "Desks"],
  desk_sum: ["{n} 项待办，{m} 项逾期", "{n} waiting, {m} late"],
  ring: ["提醒", "Ring"],
  party_orgs: ["平台党组织 {n} 个", "{n} Party organisations of platforms"],
  party_members: ["党员 {n} 人", "{n} members"],
  secretary: ["书记 {p}", "secretary {p}"],
  no_secretary: ["书记空缺", "no secretary"],
  overdue_returns: ["{n} 人借调逾期未归", "{n} lent and not back"],
  new_call: ["新到 {n} 件", "{n} new"],
  waits_since: ["{d} 起等待", "waits since {d}"],
  as_it_was: ["看当时", "As it was"],
  as_it_is: ["现在", "now"],
  acts: ["我可以做", "What you can do"],
  cancel: ["取消", "Cancel"],
  open_words: ["查看原文", "Open the words"],
  words_recorded: ["查阅已记录在案。", "That you opened them is recorded."],
  words_erased: ["个人信息已删除，原文不可再读。", "The person was erased; nobody can read the words again."],
  anonymous: ["匿名", "anonymous"],
  attachments: ["群众附件", "What residents attached"],
  proof: ["办结证明", "Proof"],
  files_n: ["{n} 个文件", "files: {n}"],
  kilobytes: ["{n} KB", "{n} KB"],
  save_file: ["存到本机", "Save"],
  opening_recorded: ["查阅会被记录", "That you open it is recorded"],
  act_files: ["照片、录音或 PDF（每个不超过 8 MB）", "Photos, recordings or PDFs (at most 8 MB each)"],
  act_people: ["到场人数", "People on the spot"],
  act_note: ["进展", "Progress"],
  act_solved: ["是否解决", "Solved?"],
  act_account: ["办理情况（内部）", "What was done (internal)"],
  act_reply: ["公开答复", "Public reply"],
  act_matter: ["事项", "Matter"],
  act_ground: ["依据", "Ground"],
  act_advice: ["告知去处", "Where to go instead"],
  act_reason: ["理由", "Reason"],
  act_answer: ["群众答复", "The reporter's answer"],
  act_condition: ["启动条件", "Condition"],
  act_evidence: ["依据材料", "Evidence"],
  act_bureau: ["区直部门", "Bureau"],
  act_opinion: ["意见", "Opinion"],
  act_legal_basis: ["法律依据（不同意时必填，模板有的可不填）", "Legal basis (for an objection, unless the template names it)"],
  act_conditions: ["条件或整改要求", "Conditions, or what would remedy it"],
  act_pieces: ["缺少的全部材料（一次说全）", "Everything that is lacking, at once"],
  act_remedied: ["整改情况", "What was changed"],
  act_on: ["日期", "Day"],
  approval: ["并联审批", "Parallel approval"],
  round_n: ["第 {n} 轮", "Round {n}"],
  item: ["事项", "Item"],
  opinion: ["意见", "Opinion"],
  ceiling: ["法定时限", "Statutory limit"],
  opinion_owed: ["待出具", "owed"],
  no_opinion: ["逾期未出具（不视为同意）", "nothing said (no consent)"],
  material_lacking: ["待补正", "material lacking"],
  material_supplied: ["已补正", "material supplied"],
  told_to: ["已报 {n}", "told: {n}"],
  promised_by: ["承诺 {n} 前", "promised by {n}"],
  login: ["登录", "Log in"],
  leave: ["退出", "Leave"],
  login_name: ["用户名", "User name"],
  login_password: ["密码", "Password"],
  login_wrong: ["用户名或密码不对。", "User name or password is wrong."],
  login_locked: ["输错次数过多，请稍后再试。", "Too many wrong passwords; try again later."],
  to_resident: ["群众上报与查询", "For residents"],
  take_seat: ["入座", "Take a seat"],
  seat_hint: ["挑一个角色坐下：您能办的事，模拟人员就让给您，时限照走。", "Pick a role: what you could do, the simulation leaves to you, and the clocks run on."],
  seat_role: ["角色", "Role"],
  seat_department: ["部门", "Department"],
  sit: ["坐下", "Sit down"],
  holder: ["现由", "With"],
  promised: ["承诺期限", "Promised by"],
  caller_phone: ["来电号码", "Caller's telephone"],
  village_hint: ["村、社区（名称、代码或拼音）", "Village (name, code or pinyin)"],
  village_missing: ["请选一个村、社区。", "Please choose a village."],
  text_missing: ["请写下群众说的情况。", "Please write down what the caller says."],
  suggested: ["建议事项", "Suggested matters"],
  because: ["{s}，依据“{w}”", "{s}, because of “{w}”"],
  told_before: ["此人此前上报", "What this caller told before"],
  told_nothing: ["本月和上月没有由我们登记的上报。", "Nothing that we took down this month or last."],
  take_down: ["登记", "Take down"],
  read_back: ["已登记，请把回执号读给来电人：", "Taken down. Read the receipt to the caller:"],
  user_name: ["用户名", "User name"],
  person: ["姓名", "Person"],
  roles: ["角色", "Role"],
  unit: ["单位", "Unit"],
  what: ["操作", "Do"],
  any: ["不限", "any"],
  everywhere: ["全区", "whole district"],
  disabled: ["已停用", "disabled"],
  disable: ["停用", "Disable"],
  new_password: ["发新密码", "New password"],
  password_given: ["{u} 的新密码，只显示这一次：", "New password of {u}, shown this once:"],
  add_user: ["开通用户", "Add a user"],
  seat_town: ["乡镇", "Town"],
  seat_village: ["村、社区", "Village"],
  seat_platform: ["平台", "Platform"],
  opened_at: ["时间", "When"],
  who_opened: ["查阅人", "Who"],
  what_opened: ["对象", "Whose words"],
  why_opened: ["事由", "What for"],
  workload: ["工作量", "Workload"],
  w_open: ["在办", "open"], w_called: ["被呼叫", "called"], w_acknowledged: ["签收", "acknowledged"], w_acknowledged_late: ["迟签", "ack. late"],
  w_reported_in: ["报到", "reported in"], w_filed: ["反馈", "filed"], w_filed_late: ["迟反馈", "filed late"], w_missed: ["逾期次数", "clocks missed"],
  soon: ["1小时内到期 {n}", "{n} due within 1 h"],
  comma: ["，", ", "],
  half: ["重办减半，原为 {n}", "half (reopened) of {n}"],
  rule_promised: ["事项“{m}”的承诺时限", "the promise for “{m}”"],
  due_because: ["依据：{r}，{n} {u}，自 {s} 起算。", "By the rule for {r}: {n} {u} from {s}. "],
  due_working: ["只计办公时间 {h}，法定节假日不计。", "Only office hours count: {h}, no public holidays. "],
  due_provisional: ["当年放假安排未公布，期限可能变动。", "That year's holidays are not announced yet; it may still move."],
  unit_min: ["分钟", "minutes"], unit_h: ["小时", "hours"], unit_d: ["天", "days"], unit_wh: ["个工作小时", "working hours"], unit_wd: ["个工作日", "working days"],
  morning: ["值班日报", "Morning page"],
  slip: ["打印呼叫单", "Print the call"],
  print: ["打印", "Print"],
  back: ["回到工作台", "Back to the desk"],
  night: ["{a} 至 {b}", "{a} to {b}"],
  night_cases: ["夜间新事件", "Cases of the night"],
  night_missed: ["夜间逾期时限", "Clocks missed in the night"],
  due_today: ["今日到期", "Due today"],
  on_duty: ["值班", "On duty"],
  signed: ["签收人、时间", "Acknowledged by, at"],
  arrived: ["到场人数、时间", "People on the spot, at"],
  done_how: ["办理情况", "What was done"],
  call_slip: ["呼叫单", "Call"],
  scan: ["扫码打开事件", "Scan to open the case"],
  hint: ["↑↓ 选择，回车打开，Esc 关闭", "↑↓ to move, Enter to open, Esc to close"],
};

const FIGURES = {
  open: ["在办", "Open"], overdue: ["逾期", "Overdue"], triage: ["待分类", "In triage"],
  reports: ["上报", "Reports"], cases: ["事件", "Cases"], calls: ["呼叫", "Calls"],
  legs: ["呼叫部门", "Depts called"], acknowledged: ["签收", "Acknowledged"], reported_in: ["报到", "Reported in"],
  closed: ["结案", "Closed"], disclosed: ["公开", "Disclosed"],
};

const CODES = {
  desk: {
    board: ["看板", "Board"], intake: ["话务登记", "Intake"], users: ["用户", "Users"], people: ["人员", "People"], roster: ["值班", "Roster"], openings: ["查阅记录", "Openings"], inbox: ["收件箱", "Inbox"], triage: ["分派台", "Triage"], review: ["审核", "Review"],
    follow_up: ["回访", "Follow-up"], notices: ["公开", "Disclosure"], village: ["村级", "Village"], district: ["区级", "District"],
  },
  role_of: {
    intake_clerk: ["话务员", "Intake clerk"], village_clerk: ["村网格员", "Village clerk"], command_centre: ["镇指挥中心", "Town command centre"],
    platform_head: ["台长", "Platform head"], department_officer: ["部门值班员", "Department officer"], reviewer: ["审核员", "Reviewer"],
    follow_up_clerk: ["回访员", "Follow-up clerk"], district_command: ["区指挥中心", "District command centre"], district_leader: ["区值班领导", "District duty leader"], analyst: ["分析员", "Analyst"],
    town_committee: ["镇党委", "Town Party committee"], personnel: ["区人事部门", "District personnel"],
    privacy_officer: ["隐私专员", "Privacy officer"], administrator: ["管理员", "Administrator"],
  },
  act: {
    "call.acknowledge.v1": ["签收", "Acknowledge"], "call.report-in.v1": ["报到", "Report in"], "call.contact-reporter.v1": ["已联系群众", "Reporter contacted"],
    "call.note.v1": ["进展", "Note"], "call.attach-proof.v1": ["附上证明", "Attach proof"], "call.file-result.v1": ["反馈", "File the result"], "case.classify.v1": ["分类", "Classify"],
    "report.refuse.v1": ["不予受理", "Refuse"], "case.approve-result.v1": ["审核通过", "Approve"], "case.send-back-result.v1": ["退回", "Send back"],
    "case.explain.v1": ["解释说明结案", "Close with an explanation"], "case.follow-up.v1": ["回访", "Follow up"],
    "case.resolve-in-village.v1": ["村级办结", "Done in the village"], "case.escalate.v1": ["上提到镇", "Up to the town"],
    "case.call-district.v1": ["向区呼叫", "Call the district"], "case.grant-launch-waiver.v1": ["特批", "Waive"],
    "case.hand-down.v1": ["交办下派", "Hand down"], "case.consent-to-hand-down.v1": ["同意下派", "Consent"],
    "person.consent-to-secondment.v1": ["同意借调", "Consent"], "person.approve-secondment.v1": ["批准借调", "Approve"], "person.end-secondment.v1": ["已归队", "Back"],
    "approval.file-opinion.v1": ["出具意见", "File an opinion"], "approval.request-material.v1": ["一次性告知", "Say what is lacking"],
    "approval.supply-material.v1": ["补正材料", "Material supplied"], "approval.open-next-round.v1": ["再次征求意见", "Ask again"],
    "approval.decide.v1": ["决定", "Decide"], "approval.reach-milestone.v1": ["里程碑", "Milestone"],
    "outcome.publish.v1": ["公开", "Publish"], "outcome.withhold.v1": ["不公开", "Withhold"],
  },
  ground: {
    court: ["诉讼仲裁", "before a court"], petition: ["信访事项", "a petition"], discipline: ["纪检监察", "discipline inspection"], secret: ["涉密", "secret"],
    out_of_area: ["不在辖区", "outside the district"], not_genuine: ["不属实", "not genuine"], emergency_line: ["应拨 110、119、120", "for 110, 119 or 120"],
  },
  withheld: { personal_data: ["含个人信息", "personal data"], secret: ["涉密", "secret"], incorrect: ["内容有误", "incorrect"] },
  owes: {
    classify: ["待分类", "Classify"], acknowledge: ["待签收", "Acknowledge"], arrive: ["待报到", "Report in"],
    result: ["待反馈", "Result"], review: ["待审核", "Review"], follow_up: ["待回访", "Follow up"],
    disclose: ["待公开", "Disclose"], track: ["待办结", "Track result"],
    village: ["村级办理", "Village"], waiver: ["待特批", "Waiver"], district: ["区级办理", "District"],
  },
  condition: {
    "": ["（无）", "(none)"], cross_town: ["涉及两镇以上", "two towns or more"], beyond_competence: ["超出镇级权限", "beyond the town's powers"], headcount: ["人手不足", "too few people"],
    repeat: ["反复上报", "reported again and again"], overdue_at_town: ["镇级逾期", "late at the town"], casualties_or_media: ["有伤亡或舆情", "casualties or media"],
  },
  went_up: { village_overdue: ["村级逾期", "late at the village"], beyond_village: ["超出村级能力", "beyond the village"], asked: ["群众要求", "asked for"] },
  file: { image: ["照片", "Photo"], audio: ["录音", "Recording"], application: ["文件", "Document"] },
  clock: { acknowledge: ["签收", "Acknowledge"], arrive: ["报到", "Report in"], contact: ["首联", "Contact"], result: ["办结", "Result"] },
  role: { lead: ["主办", "lead"], assist: ["协办", "assist"], consult: ["会商", "consult"] },
  class: {
    U1: ["紧急", "emergency"], U2: ["急办", "urgent"], U3: ["一般", "general"],
    U4: ["疑难", "complex"], U5: ["审批", "approval"], U0: ["咨询", "enquiry"],
  },
  owner: { command_centre: ["指挥中心", "Command centre"], disclosure: ["结果公开", "Disclosure"], village: ["村级", "Village"], district: ["区级", "District"] },
  step: {
    registered: ["登记", "Registered"], calling: ["呼叫", "Called"], in_progress: ["办理", "Handled"],
    in_review: ["审核", "Reviewed"], resolved: ["回访", "Follow-up"], closed: ["结案", "Closed"],
  },
  phase: {
    received: ["已收到", "received"], accepted: ["已受理", "accepted"], linked: ["已立案", "opened as a case"],
    refused: ["不予受理", "refused"], registered: ["已登记", "registered"], triage: ["待分类", "waiting for classification"],
    village_handling: ["村级办理中", "handled in the village"], calling: ["呼叫中", "calling departments"], in_progress: ["办理中", "in progress"], rework: ["重办", "being done again"],
    in_review: ["审核中", "in review"], resolved: ["待回访", "follow-up"], closed: ["已结案", "closed"],
    disclosed: ["已公开", "disclosed"], erased: ["已删除", "erased"],
  },
  post: { platform_head: ["台长", "Platform head"], command_centre: ["镇指挥中心值班长", "Command centre"] },
  whereabouts: { free: ["在岗", "here"], lent: ["借出", "lent"], leave: ["请假至", "on leave until"], scene: ["出动中", "on a scene"], deployed: ["支援", "helping"] },
  turn_out: { confirming: ["点名中", "being called"], short: ["人数不足", "too few"], mustered: ["集结完毕", "mustered"], stood_down: ["已收队", "stood down"], reviewed: ["已复盘", "written up"] },
  presence: { called: ["已点名", "called"], confirmed: ["已应召", "coming"], declined: ["不能到", "cannot come"], dropped: ["退出", "dropped"], present: ["已到场", "on the spot"] },
  opinion: { agree: ["同意", "agrees"], agree_with_conditions: ["有条件同意", "agrees with conditions"], object: ["不同意", "objects"] },
  round_outcome: { approved: ["意见齐备", "all agree"], objected: ["有异议", "objections"], incomplete: ["意见未齐", "incomplete"] },
  decision: { granted: ["批准", "granted"], refused: ["不予批准", "refused"] },
  milestone: { project_approved: ["立项", "Project approved"], permits_complete: ["审批完成", "Permits complete"], works_begun: ["开工", "Works begun"], open_to_traffic: ["通行", "Open to traffic"] },
  secondment: {
    requested: ["待镇党委同意", "awaits the town's consent"], consented: ["待区人事批准", "awaits approval"], approved: ["已批准", "approved"], away: ["借出", "away"], overdue: ["逾期未归", "not back in time"],
  },
  progress: {
    called: ["已呼叫", "called"], acknowledged: ["已签收", "acknowledged"], reported_in: ["已报到", "reported in"],
    filed: ["已反馈", "result filed"], released: ["已解除", "released"],
  },
  delivery: {
    under_way: ["提醒已发出", "alert under way"], delivered: ["提醒已送达", "alert delivered"], refused: ["提醒被拒收", "alert refused"],
    not_in_time: ["提醒未及时送达", "alert not delivered in time"], dead_letter: ["提醒无法送达", "alert undeliverable"],
    unknown_channel: ["提醒渠道已停用", "alert channel is gone"],
  },
  solved: { yes: ["已解决", "solved"], partly: ["部分解决", "partly solved"], no: ["未解决", "not solved"] },
  reason: { solved: ["解决", "solved"], explained: ["解释说明", "explained"], refused: ["不予受理", "refused"], merged: ["已并案", "joined to another"] },
  answer: { unreached: ["未联系上", "not reached"], solved: ["群众认可解决", "reporter: solved"], dissatisfied: ["解决但不满意", "solved, not satisfied"], "not solved": ["群众认为未解决", "reporter: not solved"] },
  level: { village: ["村级", "village level"], town: ["镇级", "town level"], district: ["区级", "district level"] },
  visibility: { public: ["公开", "public"], statistics: ["仅统计", "statistics only"], confidential: ["保密", "confidential"] },
  who: {
    catalogue: ["事项目录", "catalogue"], sender: ["报送方", "sender"], operator: ["分类员", "operator"], reviewer: ["审核员", "reviewer"],
    publisher: ["公开员", "publisher"], reporter: ["上报人", "reporter"], "follow-up": ["回访员", "follow-up clerk"], clock: ["时钟", "clock"], officer: ["值班员", "officer"],
  },
  what: {
    "district.configured.v1": ["配置生效", "Configuration in force"],
    "report.submitted.v1": ["群众上报", "Report received"], "report.accepted.v1": ["上报受理", "Report accepted"],
    "report.linked.v1": ["上报并入事件", "Report linked to case"], "report.refused.v1": ["不予受理", "Report refused"],
    "report.file-attached.v1": ["群众附件", "File attached"],
    "report.erased.v1": ["个人信息已删除", "Person erased"], "reporter.reported.v1": ["上报人登记", "Reporter noted"],
    "mobilisation.ordered.v1": ["下令联合出动", "Turn-out ordered"], "mobilisation.responders-called.v1": ["点名", "People called"],
    "mobilisation.mustered.v1": ["人员到场", "People on the spot"], "mobilisation.reached.v1": ["集结完毕", "Mustered"],
    "mobilisation.short.v1": ["集结不足", "Too few came"], "mobilisation.stood-down.v1": ["收队", "Stood down"],
    "mobilisation.reviewed.v1": ["出动复盘", "Turn-out written up"], "mobilisation.review-missed.v1": ["复盘逾期", "Write-up overdue"],
    "case.opened.v1": ["立案登记", "Case opened"], "case.report-linked.v1": ["并入上报", "Another report joined"],
    "case.triage-queued.v1": ["转人工分类", "Queued for triage"], "case.classified.v1": ["分类定级", "Classified"],
    "case.calls-issued.v1": ["发出呼叫", "Platforms called"], "case.engaged.v1": ["部门到位", "Departments engaged"],
    "case.call-completed.v1": ["呼叫单办毕", "Call completed"], "case.result-submitted.v1": ["提交审核", "Result to review"],
    "case.result-sent-back.v1": ["审核退回", "Sent back"], "case.resolved.v1": ["审核通过", "Review passed"],
    "case.followed-up.v1": ["群众回访", "Followed up"], "case.rework-ordered.v1": ["责令重办", "Rework ordered"],
    "case.review-reopened.v1": ["重新审核", "Review reopened"], "case.closed.v1": ["结案", "Case closed"],
    "case.reopened.v1": ["重新办理", "Case reopened"], "case.due-extended.v1": ["期限顺延", "Due time extended"], "mobilisation.review-extended.v1": ["复盘期限顺延", "Write-up due later"],
    "case.village-handling-started.v1": ["村级办理", "Village handles it"], "case.village-resolved.v1": ["村级办结", "Done in the village"],
    "case.escalated.v1": ["上提到镇", "Up to the town"], "case.district-called.v1": ["向区呼叫", "District called"],
    "case.district-call-refused.v1": ["清单外呼叫被拒", "District call refused"], "case.launch-waiver-granted.v1": ["特批", "Waiver granted"],
    "case.handed-down.v1": ["交办下派", "Handed down"], "case.hand-down-consented.v1": ["同意下派", "Hand-down consented"],
    "launch.list-published.v1": ["启动清单发布", "Launch list published"],
    "call.issued.v1": ["呼叫平台", "Platform called"], "call.departments-called.v1": ["呼叫部门", "Departments called"],
    "call.acknowledged.v1": ["部门签收", "Acknowledged"], "call.reported-in.v1": ["部门报到", "Reported in"],
    "call.reporter-contacted.v1": ["联系群众", "Reporter contacted"], "call.noted.v1": ["办理记录", "Progress noted"],
    "call.proof-attached.v1": ["附上证明", "Proof attached"],
    "call.result-filed.v1": ["部门反馈", "Result filed"], "call.clock-missed.v1": ["时限逾期", "Clock missed"], "call.due-extended.v1": ["期限顺延", "Due time extended"],
    "call.escalated.v1": ["催办升级", "Escalated"], "call.completed.v1": ["平台办毕", "Call completed"],
    "call.released.v1": ["呼叫解除", "Call released"], "call.alerted.v1": ["发出提醒", "Alert sent"],
    "call.delivered.v1": ["提醒送达", "Alert delivered"], "call.delivery-failed.v1": ["提醒未送达", "Alert not delivered"],
    "approval.round-opened.v1": ["征求意见", "Opinions asked for"], "approval.opinion-filed.v1": ["出具意见", "Opinion filed"],
    "approval.material-requested.v1": ["一次性告知", "Material requested"], "approval.material-supplied.v1": ["补正材料", "Material supplied"],
    "approval.opinion-missed.v1": ["逾期未出具意见", "Opinion missed"], "approval.round-closed.v1": ["本轮截止", "Round closed"],
    "approval.decided.v1": ["审批决定", "Approval decided"], "approval.milestone-reached.v1": ["里程碑", "Milestone reached"],
    "outcome.drafted.v1": ["公开稿拟定", "Notice drafted"],
    "outcome.published.v1": ["结果公开", "Outcome disclosed"], "outcome.withheld.v1": ["结果不公开", "Outcome withheld"],
  },
};

export const CLASSES = ["U1", "U2", "U3", "U4", "U5", "U0"];
const stored = readStored("hujiao.lang");
let lang = stored === "en" || stored === "zh" ? stored : "zh";

export const language = () => lang;

export function setLanguage(next) {
  lang = next;
  store("hujiao.lang", next);
}

/** A value kept in this browser; the page works without. */
export function readStored(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

export function store(key, value) {
  try { localStorage.setItem(key, value); } catch { /* private browsing */ }
}

const pick = (pair) => pair[lang === "en" ? 1 : 0];

/** The word of the current language; `{n}` is filled in. */
export function t(key, values = {}) {
  const text = WORDS[key] ? pick(WORDS[key]) : key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The word for a code of the API; an unknown code stands for itself. */
export function code(kind, value) {
  const pair = value == null ? null : CODES[kind][value];
  return pair ? pick(pair) : (value ?? "");
}

export const figure = (key) => pick(FIGURES[key]);

// ---- names of the catalogue

const names = { town: new Map(), village: new Map(), platform: new Map(), department: new Map(), matter: new Map(), duty: new Map(), item: new Map() };
export const catalogue = { towns: [], villages: [], platforms: [], departments: [], matters: [], items: [], demo: false, district: null };

export function setCatalogue(loaded) {
  Object.assign(catalogue, loaded);
  for (const [kind, list] of [["town", "towns"], ["village", "villages"], ["platform", "platforms"], ["department", "departments"], ["matter", "matters"], ["item", "items"]]) {
    names[kind] = new Map((loaded[list] ?? []).map((entry) => [entry.code, entry]));
  }
  if (loaded.district?.code) names.town.set(loaded.district.code, loaded.district);
  names.duty = new Map((loaded.duties ?? []).map((entry) => [entry.person, entry]));
}

/** The name of a town, village, platform, department or matter; its code when it is not in the catalogue. */
export function name(kind, key) {
  const entry = names[kind].get(key);
  if (!entry) return key ?? "";
  const text = (lang === "en" && entry.en) || entry.zh;
  return kind === "village" ? shortVillage(text) : text;
}

/** Wherever platforms stand: every town, and the district itself. */
export const units = () => (catalogue.district ? [...catalogue.towns, catalogue.district] : catalogue.towns);

export const platformOf = (department) => names.department.get(department)?.platform ?? null;

export function owner(key) {
  return CODES.owner[key] ? code("owner", key) : name("department", key);
}

const shortVillage = (text) => text.replace(/村?村民委员会$/, "村").replace(/(社区)?居民委员会$/, "社区");

/** Who did it: a post or a role, never a person's name. */
export function who(key) {
  if (!key) return "";
  const duty = names.duty.get(key);
  if (duty) {
    if (lang === "zh") return duty.zh;
    return duty.en ?? [duty.post?.replaceAll("_", " ") ?? key, name("platform", duty.platform)].filter(Boolean).join(", ");
  }
  if (CODES.who[key]) return code("who", key);
  const officer = /^\d+-([A-Z]\d+)-(\d+)$/.exec(key);
  if (officer) return `${name("department", officer[1])} ${code("who", "officer")} ${officer[2]}`;
  const role = /^(.+)-(\d+)$/.exec(key);
  return role && CODES.who[role[1]] ? `${code("who", role[1])} ${role[2]}` : key;
}

const list = (detail, kind) => detail.split(" ").filter(Boolean).map((key) => name(kind, key)).join(lang === "en" ? ", " : "、");

/** What the `detail` column says of a fact, in words. */
export function detail(row) {
  const text = row.detail;
  if (text == null || text === "") return "";
  switch (row.what) {
    case "case.classified.v1": {
      const [matter, urgency] = text.split(" ");
      return `${name("matter", matter)} · ${urgency ?? ""} ${code("class", urgency)}`;
    }
    case "case.calls-issued.v1": return list(text, "platform");
    case "call.departments-called.v1":
    case "call.released.v1": return list(text, "department");
    case "case.engaged.v1": return (lang === "en" ? "waiting for " : "还待 ") + list(text, "department");
    case "call.clock-missed.v1":
    case "call.escalated.v1": return code("clock", text);
    case "call.due-extended.v1":
    case "case.due-extended.v1": {
      const [what, until] = text.split(" ");
      return `${code(row.what.startsWith("case.") ? "owes" : "clock", what)} → ${shortTime(until)}`;
    }
    case "mobilisation.review-extended.v1": return `→ ${shortTime(text)}`;
    case "call.completed.v1": return code("solved", text);
    case "case.followed-up.v1": return code("answer", text);
    case "case.closed.v1": return code("reason", text);
    case "case.village-handling-started.v1": return name("village", text);
    case "case.village-resolved.v1": return code("solved", text);
    case "case.escalated.v1": return code("went_up", text);
    case "case.reopened.v1": return lang === "en" ? `time ${text}` : `第${text}次`;
    case "report.file-attached.v1":
    case "call.proof-attached.v1": return code("file", text.split("/")[0]);
    case "call.reported-in.v1": return t("people", { n: text });
    case "mobilisation.ordered.v1": return t("needed", { n: text });
    case "mobilisation.responders-called.v1": return t("called_n", { n: text.split(" ")[0] });
    case "mobilisation.mustered.v1":
    case "mobilisation.stood-down.v1": return t("people", { n: text });
    case "approval.round-opened.v1": return list(text, "item");
    case "approval.opinion-filed.v1": {
      const [item, opinion] = text.split(" ");
      return `${name("item", item)} · ${code("opinion", opinion)}`;
    }
    case "approval.material-requested.v1":
    case "approval.material-supplied.v1":
    case "approval.opinion-missed.v1": return name("item", text);
    case "approval.round-closed.v1": return code("round_outcome", text);
    case "approval.decided.v1": return code("decision", text);
    case "approval.milestone-reached.v1": {
      const [milestone, on] = text.split(" ");
      return `${code("milestone", milestone)} ${on}`;
    }
    case "call.delivery-failed.v1": {
      const [channel, reason] = text.split(" ");
      return `${channel} · ${code("delivery", reason)}`;
    }
    default: return text;
  }
}

// ---- times

const formats = new Map();

function format(kind, options) {
  const key = `${lang}/${kind}`;
  if (!formats.has(key)) {
    const locale = lang === "en" ? "en-GB" : "zh-CN";
    formats.set(key, new Intl.DateTimeFormat(locale, { timeZone: "Asia/Shanghai", hourCycle: "h23", ...options }));
  }
  return formats.get(key);
}

const parts = (kind, options, time) =>
  Object.fromEntries(format(kind, options).formatToParts(new Date(time)).map((part) => [part.type, part.value]));

/** `09-12 10:20`; with the year when it is not this year's. */
export function shortTime(time, now) {
  if (!time) return "";
  const options = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
  const p = parts("short", options, time);
  const year = now && parts("short", options, now).year !== p.year ? `${p.year}-` : "";
  return `${year}${p.month}-${p.day} ${p.hour}:${p.minute}`;
}

/** `10:20`. */
export function clockTime(time) {
  const p = parts("clock", { hour: "2-digit", minute: "2-digit" }, time);
  return `${p.hour}:${p.minute}`;
}

/** The date with its weekday, and the time of day. */
export function longTime(time, seconds) {
  const p = parts("long", { year: "numeric", month: "2-digit", day: "2-digit", weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" }, time);
  return { date: `${p.year}-${p.month}-${p.day} ${p.weekday}`, time: `${p.hour}:${p.minute}${seconds ? `:${p.second}` : ""}` };
}

/** A length of time in its two greatest units. */
export function span(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  const [D, H, M, S] = lang === "en" ? ["d", "h", "m", "s"] : ["天", "时", "分", "秒"];
  const gap = lang === "en" ? " " : "";
  if (d > 99) return `${d}${D}`;
  if (d) return `${d}${D}${gap}${h}${H}`;
  if (h) return `${h}${H}${gap}${String(m).padStart(2, "0")}${M}`;
  return m ? `${m}${M}${gap}${String(s).padStart(2, "0")}${S}` : `${s}${S}`;
}

/** An element with its attributes and children; strings become text, never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false && child !== ""));
  return element;
}

/** Set text only when it changed: keeps selections and spares screen readers. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
